//! Every request and response: what can be decoded can be encoded, and says the same then.
//!
//! Input: API key (2 bytes), version (1 byte), an even number for a request or an odd one for a response, then the body.

use bytes::Bytes;
use klamm_protocol::ApiKey;
use klamm_protocol::messages::{AnyRequest, AnyResponse};
use klamm_protocol::wire::{DecodeError, EncodeError, Reader, Writer};

use crate::allocation::proportionate;

/// Lists may cost 64 bytes of memory for each byte of input while they are decoded; growing one holds it twice.
const FACTOR: usize = 3 * 64;

/// Decodes a body, encodes it, and decodes that again.
///
/// # Panics
/// When a message cannot be encoded, or changes on the way, or decoding costs too much.
pub fn run(input: &[u8]) {
    let &[key_high, key_low, version, kind, ref body @ ..] = input else { return };
    let key = ApiKey(i16::from_be_bytes([key_high, key_low]));
    let version = i16::from(version);
    let body = Bytes::copy_from_slice(body);
    if kind % 2 == 0 {
        check(
            &body,
            |reader| AnyRequest::decode(key, version, reader),
            |message, writer| message.encode(writer, version),
        );
    } else {
        check(
            &body,
            |reader| AnyResponse::decode(key, version, reader),
            |message, writer| message.encode(writer, version),
        );
    }
}

fn check<T: std::fmt::Debug>(
    body: &Bytes,
    decode: impl Fn(&mut Reader) -> Result<T, DecodeError>,
    encode: impl Fn(&T, &mut Writer) -> Result<(), EncodeError>,
) {
    let mut reader = Reader::new(body.clone());
    let Ok(message) = proportionate(body.len(), FACTOR, || decode(&mut reader)) else { return };
    let write = |message: &T| {
        let mut writer = Writer::new();
        if let Err(error) = encode(message, &mut writer) {
            panic!("decoded, but cannot be encoded ({error}): {message:?}");
        }
        let mut counter = Writer::counting();
        assert!(encode(message, &mut counter).is_ok() && counter.len() == writer.len(), "counted as written");
        writer.into_bytes()
    };
    let written = write(&message);
    let mut reader = Reader::new(written.clone());
    reader.set_budget(usize::MAX);
    match decode(&mut reader) {
        // Compared as bytes: a number that is not one does not equal itself.
        Ok(again) => assert_eq!(write(&again), written, "{message:?} became {again:?}"),
        Err(error) => panic!("what was encoded does not decode ({error}): {message:?}"),
    }
    assert_eq!(reader.remaining(), 0, "all of it was read");
}
