//! Kafka's 128-bit identifiers.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An identifier of a topic, directory, member or client instance.
///
/// It is written as Kafka writes it: 22 characters of base64url without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The identifier that stands for "none".
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0; 22];
        for (index, byte) in text.iter_mut().enumerate() {
            // The last character holds the two lowest bits, shifted to the top of its six.
            let bits = if index == 21 { value << 4 } else { value >> (122 - 6 * index) };
            *byte = ALPHABET[(bits & 0x3f) as usize];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

/// A text that is not 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a UUID is 22 characters of base64url")]
pub struct InvalidUuid;

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        if text.len() != 22 {
            return Err(InvalidUuid);
        }
        let mut value: u128 = 0;
        for (index, byte) in text.bytes().enumerate() {
            let bits = ALPHABET.iter().position(|&each| each == byte).ok_or(InvalidUuid)? as u128;
            if index == 21 {
                if bits & 0xf != 0 {
                    return Err(InvalidUuid);
                }
                value = (value << 2) | (bits >> 4);
            } else {
                value = (value << 6) | bits;
            }
        }
        Ok(Self(value.to_be_bytes()))
    }
}
