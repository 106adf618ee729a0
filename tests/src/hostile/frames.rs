//! Requests and responses of the few kinds that a hostile server must know, written out by hand: the client's own
//! encoder is under test here.

use std::io::{self, Read};

pub(super) const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const SASL_AUTHENTICATE: i16 = 36;

/// What a request says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) api_key: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
}

/// Reads one request and returns its header, or `None` at the end of the stream.
pub(super) fn read_request(stream: &mut impl Read) -> io::Result<Option<Asked>> {
    Ok(read_whole_request(stream)?.map(|(asked, _)| asked))
}

/// As [`read_request`], with what follows the fixed part of the header.
pub(super) fn read_whole_request(stream: &mut impl Read) -> io::Result<Option<(Asked, Vec<u8>)>> {
    let mut length = [0; 4];
    if stream.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..])?;
    let length = u32::from_be_bytes(length);
    if !(8..1 << 26).contains(&length) {
        return Err(io::Error::other(format!("the client sent a frame of {length} bytes")));
    }
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let mut body = Vec::new();
    stream.take(u64::from(length) - 8).read_to_end(&mut body)?;
    let [a, b, c, d, e, f, g, h] = head;
    let asked = Asked {
        api_key: i16::from_be_bytes([a, b]),
        version: i16::from_be_bytes([c, d]),
        correlation: i32::from_be_bytes([e, f, g, h]),
    };
    Ok(Some((asked, body)))
}

/// A response with its length and correlation id.
pub(super) fn frame(correlation: i32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), &correlation.to_be_bytes(), body].concat()
}

/// The response to `ApiVersions` of a broker that has what a client needs.
pub(super) fn api_versions(version: i16) -> Vec<u8> {
    let ranges: [(i16, i16, i16); 11] = [
        (0, 3, 9),
        (1, 4, 12),
        (2, 1, 6),
        (METADATA, 0, 12),
        (10, 0, 4),
        (SASL_HANDSHAKE, 0, 1),
        (API_VERSIONS, 0, 4),
        (19, 0, 7),
        (20, 0, 6),
        (22, 0, 4),
        (SASL_AUTHENTICATE, 0, 1),
    ];
    let mut body = vec![0, 0];
    if version >= 3 {
        body.push(u8::try_from(ranges.len() + 1).unwrap_or(0));
    } else {
        body.extend(u32::try_from(ranges.len()).unwrap_or(0).to_be_bytes());
    }
    for (key, min, max) in ranges {
        body.extend([key, min, max].iter().flat_map(|number| number.to_be_bytes()));
        body.extend((version >= 3).then_some(0));
    }
    if version >= 1 {
        body.extend(0_i32.to_be_bytes());
    }
    body.extend((version >= 3).then_some(0));
    body
}

/// That this version is not supported, and no other is named.
pub(super) fn unsupported_version() -> Vec<u8> {
    let mut body = 35_i16.to_be_bytes().to_vec();
    body.extend(0_i32.to_be_bytes());
    body
}

/// A response to `ApiVersions` that claims 2^31 - 1 entries.
pub(super) fn huge_api_versions(version: i16) -> Vec<u8> {
    let count: &[u8] = if version >= 3 { &[0xff, 0xff, 0xff, 0xff, 0x07] } else { &[0x7f, 0xff, 0xff, 0xff] };
    [&[0, 0], count, &[0, 3, 0, 0]].concat()
}

/// A body whose every count is as large as can be, whatever the kind and version of the request.
pub(super) fn huge_counts(asked: Asked) -> Vec<u8> {
    let flexible = asked.api_key == METADATA && asked.version >= 9;
    if flexible {
        // Response header v1 (no tags), throttle time, then brokers.
        [&[0, 0, 0, 0, 0][..], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat()
    } else {
        vec![0x7f; 64]
    }
}

/// A response to `Metadata` of version 9 to 12 with one broker, without controller and topics.
pub(super) fn lonely_metadata(version: i16, port: u16) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(0_i32.to_be_bytes());
    body.push(2);
    body.extend(1_i32.to_be_bytes());
    body.push(10);
    body.extend(b"127.0.0.1");
    body.extend(i32::from(port).to_be_bytes());
    body.extend([0, 0]);
    body.extend([2, b'x']);
    body.extend((-1_i32).to_be_bytes());
    body.push(1);
    if version <= 10 {
        body.extend(i32::MIN.to_be_bytes());
    }
    body.push(0);
    body
}

/// Whether this asks for metadata.
pub(super) fn is_metadata(asked: Asked) -> bool {
    asked.api_key == METADATA
}

/// The response to `SaslHandshake` that takes every mechanism it names.
pub(super) fn sasl_handshake() -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend(1_i32.to_be_bytes());
    body.extend(13_i16.to_be_bytes());
    body.extend(b"SCRAM-SHA-256");
    body
}

/// The response to `SaslAuthenticate` of version 1 with a message of the mechanism.
pub(super) fn sasl_authenticate(message: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend((-1_i16).to_be_bytes());
    body.extend(u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    body.extend(message);
    body.extend(0_i64.to_be_bytes());
    body
}
