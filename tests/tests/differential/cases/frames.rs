//! Frames: headers, lengths, versions that nobody knows, and ApiVersions.

use klamm_protocol::ApiKey;
use klamm_protocol::Message as _;
use klamm_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::{RequestHeader, request_header_version};
use klamm_protocol::wire::Writer;
use klamm_tests::Outcome;
use klamm_tests::wire::frame;

use crate::case::Case;
use crate::talk::{FIRST, Talk};

/// Bodies of frames that are no requests, or no whole ones: each is sent on a connection of its own.
const MALFORMED: &[(&str, &[u8])] = &[
    ("empty", &[]),
    ("one_byte", &[0]),
    ("half_a_header", &[0, 3, 0, 1, 0, 0]),
    ("unknown_api", &[0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
    ("negative_api", &[0xff, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
    ("negative_version", &[0, 3, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff]),
    ("version_too_high", &[0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff]),
    ("client_id_longer_than_the_frame", &[0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, b'x']),
    ("client_id_of_negative_length", &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe]),
    ("no_body", &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff]),
    ("array_longer_than_the_frame", &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
    ("string_longer_than_the_frame", &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 1, 0x40, 0, b'x']),
    ("null_name_that_must_not_be", &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff]),
    ("tags_of_the_header_cut_off", &[0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 5, 1, 9]),
    ("tag_longer_than_the_frame", &[0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 1, 0, 0x7f, 1, 1, 0, 0, 0]),
    ("endless_varint", &[0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ("removed_api", &[0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
];

/// What Kafka makes something of, and the embedded broker does not: why, a name, and the body.
const LENIENT: &[(&str, &str, &[u8])] = &[
    ("Text that is not UTF-8", "client_id_not_utf_8", &[0, 3, 0, 1, 0, 0, 0, 1, 0, 1, 0xff, 0, 0, 0, 0]),
    (
        "Lengths below -1",
        "array_of_negative_length",
        &[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
    ),
];

const CLOSED: &str = "the connection is closed";

/// Bytes in place of a frame.
const NO_FRAMES: &[(&str, &[u8])] = &[
    ("negative_length", &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    ("two_gigabytes", &[0x7f, 0xff, 0xff, 0xff, 0, 18, 0, 0]),
    ("more_than_socket_request_max_bytes", &[0x06, 0x40, 0x00, 0x01, 0, 18, 0, 0]),
    ("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("tls", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = MALFORMED
        .iter()
        .map(|(name, body)| Case::new(format!("frames::{name}"), move |talk| answered(talk, "answer", body)))
        .collect();
    cases.extend(LENIENT.iter().map(|(why, name, body)| {
        Case::new(format!("frames::{name}"), move |talk| answered(talk, "answer", body))
            .differs(why, "answer", CLOSED, "answered")
    }));
    cases.extend(NO_FRAMES.iter().map(|(name, bytes)| {
        Case::new(format!("frames::{name}"), move |talk| talk.raw_bytes("answer", bytes))
    }));
    cases.extend([
        Case::new("frames::trailing_bytes", trailing)
            .differs("Bytes behind a request", "v4", CLOSED, "answered")
            .differs("Bytes behind a request", "v12", CLOSED, "answered"),
        Case::new("frames::unknown_tags", unknown_tags),
        Case::new("frames::null_client_id", null_client_id),
        Case::new("frames::correlation_ids", correlation_ids),
        Case::new("frames::versions_out_of_range_of_every_api", out_of_range),
        Case::new("api_versions::every_version", every_version),
        Case::new("api_versions::apis", apis).differs("APIs", "listed", "served ones", "more"),
        Case::new("api_versions::version_too_high", too_high),
        Case::new("api_versions::software_names", software_names),
        Case::new("api_versions::twice_and_late", twice_and_late),
        Case::new("api_versions::malformed", malformed),
    ]);
    cases
}

fn metadata_frame(version: i16) -> Outcome<Vec<u8>> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some("no/name".into()), ..Default::default() }]),
        ..MetadataRequest::default()
    };
    Ok(frame("raw", version, &request)?.to_vec())
}

fn answered(talk: &mut Talk, step: &str, body: &[u8]) -> Outcome<()> {
    let reply = talk.exchange(FIRST, body)?;
    talk.seen.note(step, if reply.is_some() { "answered" } else { CLOSED });
    Ok(())
}

/// Bytes behind a request that is whole.
fn trailing(talk: &mut Talk) -> Outcome<()> {
    for version in [4, 12] {
        let mut body = metadata_frame(version)?;
        body.extend_from_slice(&[0, 0, 7]);
        answered(talk, &format!("v{version}"), &body)?;
    }
    Ok(())
}

/// Tagged fields that no release knows, in the header and the body.
fn unknown_tags(talk: &mut Talk) -> Outcome<()> {
    let body = metadata_frame(12)?;
    let mut tagged = body.clone();
    // The last byte says that the body has no tags.
    tagged.pop();
    tagged.extend_from_slice(&[1, 100, 2, 1, 2]);
    answered(talk, "in the body", &tagged)?;
    let header_end = 2 + 2 + 4 + 2 + 3;
    let mut tagged = body.clone();
    tagged.splice(header_end..=header_end, [1, 100, 2, 1, 2]);
    answered(talk, "in the header", &tagged)?;
    let mut falling = body;
    falling.pop();
    falling.extend_from_slice(&[2, 100, 0, 99, 0]);
    answered(talk, "in falling order", &falling)
}

fn null_client_id(talk: &mut Talk) -> Outcome<()> {
    for (step, id) in [("null", None), ("empty", Some("")), ("long", Some("x"))] {
        let mut writer = Writer::new();
        let id = id.map(|id: &str| if id == "x" { "x".repeat(5000) } else { id.to_owned() });
        let header = RequestHeader {
            request_api_key: ApiKey::METADATA.0,
            request_api_version: 12,
            client_id: id.map(Into::into),
            ..RequestHeader::default()
        };
        header.encode(&mut writer, request_header_version(ApiKey::METADATA, 12).ok_or("no version")?)?;
        MetadataRequest { topics: Some(Vec::new()), ..Default::default() }.encode(&mut writer, 12)?;
        answered(talk, step, &writer.into_bytes())?;
    }
    Ok(())
}

fn correlation_ids(talk: &mut Talk) -> Outcome<()> {
    for id in [0i32, 1, i32::MAX, -1, i32::MIN] {
        let mut body = metadata_frame(1)?;
        body[4..8].copy_from_slice(&id.to_be_bytes());
        let reply = talk.exchange(FIRST, &body)?.ok_or("closed")?;
        talk.seen.note(&format!("{id}"), format!("{:?}", reply.get(..4)));
    }
    Ok(())
}

/// One version below and one above what is served, of every API that the embedded broker serves.
fn out_of_range(talk: &mut Talk) -> Outcome<()> {
    let served = talk.quiet(FIRST, 0, &ApiVersionsRequest::default())?;
    for api in served.api_keys {
        if api.api_key == ApiKey::API_VERSIONS.0 || !super::SERVED.contains(&ApiKey(api.api_key)) {
            continue;
        }
        for version in [api.min_version - 1, api.max_version + 1] {
            let key = api.api_key.to_be_bytes();
            let mut body = vec![key[0], key[1]];
            body.extend(version.to_be_bytes());
            body.extend([0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            answered(talk, &format!("API {} v{version}", api.api_key), &body)?;
        }
    }
    Ok(())
}

/// Leaves those APIs that the embedded broker serves at all.
fn served(mut response: ApiVersionsResponse) -> ApiVersionsResponse {
    response.api_keys.retain(|api| super::SERVED.contains(&ApiKey(api.api_key)));
    response
}

fn hello() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "klamm".into(),
        client_software_version: "1.0".into(),
        ..ApiVersionsRequest::default()
    }
}

fn every_version(talk: &mut Talk) -> Outcome<()> {
    for version in 0..=4 {
        let response = served(talk.quiet(FIRST, version, &hello())?);
        talk.seen.note_response(&format!("v{version}"), ApiKey::API_VERSIONS, &response);
    }
    Ok(())
}

fn apis(talk: &mut Talk) -> Outcome<()> {
    let response = talk.quiet(FIRST, 4, &hello())?;
    let is_all = response.api_keys.len() == super::SERVED.len();
    talk.seen.note("listed", if is_all { "served ones" } else { "more" });
    Ok(())
}

/// The answer has the form of version 0, whatever the version that was asked for.
fn too_high(talk: &mut Talk) -> Outcome<()> {
    for version in [5i16, 6, 99, i16::MAX, -1] {
        let mut body = vec![0, 18];
        body.extend(version.to_be_bytes());
        body.extend([0, 0, 0, 9, 0xff, 0xff, 0]);
        talk.raw(&format!("v{version}"), &body)?;
    }
    Ok(())
}

fn software_names(talk: &mut Talk) -> Outcome<()> {
    for (name, version) in [
        ("", "1"),
        ("klamm", ""),
        ("a b", "1"),
        ("-a", "1"),
        ("a-", "1"),
        ("a.b-c", "1.0-x"),
        ("é", "1"),
        ("a", "1 "),
    ] {
        let request = ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: version.into(),
            ..ApiVersionsRequest::default()
        };
        let response = served(talk.quiet(FIRST, 3, &request)?);
        talk.seen.note(&format!("{name:?} {version:?}"), format!("{:?}", response.error_code));
        talk.seen.note(&format!("{name:?} {version:?}: listed"), response.api_keys.len().to_string());
    }
    Ok(())
}

fn twice_and_late(talk: &mut Talk) -> Outcome<()> {
    answered(talk, "something else first", &metadata_frame(12)?)?;
    for step in ["once", "twice"] {
        let error = talk.quiet(FIRST, 3, &hello())?.error_code;
        talk.seen.note(step, format!("{error:?}"));
    }
    Ok(())
}

/// Bodies of version 3 that cannot be read.
fn malformed(talk: &mut Talk) -> Outcome<()> {
    let good = frame("raw", 3, &hello())?.to_vec();
    for cut in [1, 4, 8] {
        let body = &good[..good.len() - cut];
        talk.raw(&format!("cut by {cut}"), body)?;
    }
    talk.raw("null names", &[0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0])?;
    answered(talk, "a good one after that", &good)
}
