//! The generated messages against vectors, the Java classes, and an interpreter of the schemas.
#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod consumer_protocol;
mod debug;
mod encoding;
mod headers;
mod hostile;
mod java;
mod oracle;
mod random;
mod round_trip;
mod values;
mod vectors;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use klamm_protocol::ApiKey;
use klamm_protocol::messages::{AnyRequest, AnyResponse};
use klamm_protocol::schema::{Kind, Schema, parse};
use klamm_protocol::wire::{DecodeError, EncodeError, Reader, Writer};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn vector_file(name: &str) -> String {
    std::fs::read_to_string(folder().join("vectors").join(name)).unwrap()
}

/// The schemas of all requests and responses, by name.
fn schemas() -> Vec<Schema> {
    let mut schemas = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        schemas.push(parse(&text).unwrap());
    }
    schemas.retain(|schema| matches!(schema.kind, Kind::Request | Kind::Response));
    schemas.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(schemas.len(), 190);
    schemas
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq)]
enum AnyMessage {
    Request(AnyRequest),
    Response(AnyResponse),
}

impl AnyMessage {
    fn decode(schema: &Schema, version: i16, reader: &mut Reader) -> Result<Self, DecodeError> {
        let key = ApiKey(schema.key.unwrap());
        match schema.kind {
            Kind::Request => AnyRequest::decode(key, version, reader).map(Self::Request),
            _ => AnyResponse::decode(key, version, reader).map(Self::Response),
        }
    }

    /// The message with all fields at their defaults.
    fn default_of(schema: &Schema) -> Self {
        // In the newest version the smallest message has nothing but defaults in fields that others lack.
        let version = schema.versions.high;
        let bytes = oracle::encode(schema, version, &random::default(schema, version));
        Self::decode_all(schema, version, &bytes).unwrap()
    }

    /// Decodes all of a buffer.
    fn decode_all(schema: &Schema, version: i16, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
        let message = Self::decode(schema, version, &mut reader)?;
        reader.finish().map(|()| message)
    }

    fn encode(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        match self {
            Self::Request(request) => request.encode(&mut writer, version)?,
            Self::Response(response) => response.encode(&mut writer, version)?,
        }
        let len = writer.len();
        let bytes = writer.into_bytes();
        assert_eq!(len, bytes.len());
        Ok(bytes.to_vec())
    }

    fn encoded_len(&self, version: i16) -> usize {
        match self {
            Self::Request(request) => request.encoded_len(version),
            Self::Response(response) => response.encoded_len(version),
        }
        .unwrap()
    }

    /// The message's own text, without the name of the API around it.
    fn text(&self) -> String {
        let text = format!("{self:1?}");
        // `Request(Metadata(MetadataRequest { .. }))`
        let inner = text.splitn(3, '(').nth(2).unwrap();
        inner[..inner.len() - 2].to_owned()
    }
}
