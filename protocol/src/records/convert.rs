//! Keys and values as other types than bytes.

use core::{fmt, str};

use bytes::Bytes;

/// A type that keys and values can be read as, in the encodings of the Java client's deserializers: text as UTF-8,
/// numbers big-endian in their full width, `bool` as a byte.
///
/// `Option<T>` is `None` for null; for the others null is an error. `()` is null and nothing else.
///
/// ```
/// # use klamm_protocol::records::FromBytes;
/// assert_eq!(i64::from_bytes(Some(&[0, 0, 0, 0, 0, 0, 1, 2])), Ok(258));
/// assert_eq!(<Option<&str>>::from_bytes(None), Ok(None));
/// assert!(<&str>::from_bytes(None).is_err());
/// ```
pub trait FromBytes<'a>: Sized {
    /// Reads a key, a value or a header's value.
    ///
    /// # Errors
    ///
    /// The bytes are none of this type, or null.
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError>;
}

/// Why bytes are no value of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromBytesError {
    /// It is null.
    Null,
    /// It is not null.
    NotNull,
    /// It has another length.
    Length {
        /// What the type takes, in bytes.
        expected: usize,
        /// What there is, in bytes.
        found: usize,
    },
    /// It is no UTF-8.
    Utf8 {
        /// Where, in bytes.
        at: usize,
    },
    /// No value of the type has these bytes.
    Value,
}

impl fmt::Display for FromBytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("it is null: read it as an Option if that may be"),
            Self::NotNull => f.write_str("it is not null"),
            Self::Length { expected, found } => write!(f, "it has {found} bytes instead of {expected}"),
            Self::Utf8 { at } => write!(f, "it is not UTF-8 from byte {at} on"),
            Self::Value => f.write_str("its bytes are no value of the type"),
        }
    }
}

impl core::error::Error for FromBytesError {}

impl<'a> FromBytes<'a> for &'a [u8] {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        bytes.ok_or(FromBytesError::Null)
    }
}

impl<'a> FromBytes<'a> for &'a str {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        let bytes = bytes.ok_or(FromBytesError::Null)?;
        str::from_utf8(bytes).map_err(|error| FromBytesError::Utf8 { at: error.valid_up_to() })
    }
}

impl<'a> FromBytes<'a> for String {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        <&str>::from_bytes(bytes).map(ToOwned::to_owned)
    }
}

impl<'a> FromBytes<'a> for Vec<u8> {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        <&[u8]>::from_bytes(bytes).map(ToOwned::to_owned)
    }
}

/// A copy: what shares the memory of its batch is what a record that owns its bytes has.
impl<'a> FromBytes<'a> for Bytes {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        <&[u8]>::from_bytes(bytes).map(Self::copy_from_slice)
    }
}

impl<'a> FromBytes<'a> for () {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        bytes.map_or(Ok(()), |_| Err(FromBytesError::NotNull))
    }
}

impl<'a, T: FromBytes<'a>> FromBytes<'a> for Option<T> {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        bytes.map(|bytes| T::from_bytes(Some(bytes))).transpose()
    }
}

impl<'a, const N: usize> FromBytes<'a> for [u8; N] {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        let bytes = bytes.ok_or(FromBytesError::Null)?;
        Self::try_from(bytes).map_err(|_| FromBytesError::Length { expected: N, found: bytes.len() })
    }
}

impl<'a> FromBytes<'a> for bool {
    fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
        match <[u8; 1]>::from_bytes(bytes)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(FromBytesError::Value),
        }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(
            impl<'a> FromBytes<'a> for $number {
                fn from_bytes(bytes: Option<&'a [u8]>) -> Result<Self, FromBytesError> {
                    FromBytes::from_bytes(bytes).map(Self::from_be_bytes)
                }
            }
        )*
    };
}
numbers!(i16, i32, i64, u16, u32, u64, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T: FromBytes<'a>>(bytes: &'a [u8]) -> Result<T, FromBytesError> {
        T::from_bytes(Some(bytes))
    }

    #[test]
    fn numbers_are_big_endian_in_their_full_width() {
        assert_eq!(read::<i64>(&[255; 8]), Ok(-1));
        assert_eq!(read::<i32>(&[0, 0, 1, 0]), Ok(256));
        assert_eq!(read::<i16>(&[1, 0]), Ok(256));
        assert_eq!(read::<f64>(&1.5_f64.to_be_bytes()), Ok(1.5));
        assert_eq!(read::<i64>(&[0; 4]), Err(FromBytesError::Length { expected: 8, found: 4 }));
        assert_eq!(read::<i32>(&[]), Err(FromBytesError::Length { expected: 4, found: 0 }));
    }

    #[test]
    fn text_is_utf_8() {
        assert_eq!(read::<&str>("Barnabas \u{1f3f0}".as_bytes()), Ok("Barnabas \u{1f3f0}"));
        assert_eq!(read::<String>(b""), Ok(String::new()));
        assert_eq!(read::<&str>(b"ab\xff"), Err(FromBytesError::Utf8 { at: 2 }));
    }

    #[test]
    fn null_is_no_value_but_of_an_option_and_of_the_unit() {
        assert_eq!(<&str>::from_bytes(None), Err(FromBytesError::Null));
        assert_eq!(i64::from_bytes(None), Err(FromBytesError::Null));
        assert_eq!(Vec::from_bytes(None), Err(FromBytesError::Null));
        assert_eq!(<Option<i64>>::from_bytes(None), Ok(None));
        assert_eq!(read::<Option<&str>>(b""), Ok(Some("")));
        assert_eq!(<()>::from_bytes(None), Ok(()));
        assert_eq!(read::<()>(b""), Err(FromBytesError::NotNull));
    }

    #[test]
    fn booleans_are_one_byte() {
        assert_eq!((read::<bool>(&[1]), read::<bool>(&[0])), (Ok(true), Ok(false)));
        assert_eq!(read::<bool>(&[2]), Err(FromBytesError::Value));
    }
}
