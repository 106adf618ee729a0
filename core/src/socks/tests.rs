use alloc::{string::ToString, vec::Vec};

use bytes::BytesMut;
use klamm_protocol::Str;
use proptest::prelude::*;

use super::{Heard, MAX_TEXT_BYTES, STATES, Socks5, SocksError, State, next};
use crate::{cluster::Address, sasl::Secret};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn user() -> Option<(Str, Secret)> {
    Some((Str::from("franz"), Secret::from("odradek")))
}

/// Writes everything that is due.
fn written(socks: &mut Socks5) -> Vec<u8> {
    let bytes = socks.outgoing().to_vec();
    socks.advance(bytes.len());
    bytes
}

fn read(socks: &mut Socks5, bytes: &[u8]) -> Vec<u8> {
    let mut buffer = BytesMut::from(bytes);
    socks.handle_read(&mut buffer);
    buffer.to_vec()
}

#[test]
fn a_name_is_left_to_the_proxy() {
    let mut socks = Socks5::new(address("kafka.internal:9093"), None).unwrap();
    assert_eq!(written(&mut socks), [5, 1, 0]);
    assert!(read(&mut socks, &[5, 0]).is_empty());
    let mut request = Vec::from([5, 1, 0, 3, 14]);
    request.extend_from_slice(b"kafka.internal");
    request.extend_from_slice(&9093_u16.to_be_bytes());
    assert_eq!(written(&mut socks), request);
    assert!(read(&mut socks, &[5, 0, 0, 1, 10, 0, 0, 1, 0x1f, 0x90]).is_empty());
    assert!(socks.is_open());
    assert!(socks.outgoing().is_empty());
}

#[test]
fn addresses_are_sent_as_such() {
    for (target, expected) in [
        ("10.1.2.3:9092", Vec::from([5, 1, 0, 1, 10, 1, 2, 3, 0x23, 0x84])),
        ("[::1]:1", Vec::from([5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1])),
    ] {
        let mut socks = Socks5::new(address(target), None).unwrap();
        written(&mut socks);
        read(&mut socks, &[5, 0]);
        assert_eq!(written(&mut socks), expected, "{target}");
    }
}

#[test]
fn name_and_password_are_given_if_asked_for() {
    let mut socks = Socks5::new(address("kafka:9092"), user()).unwrap();
    assert_eq!(written(&mut socks), [5, 2, 0, 2]);
    read(&mut socks, &[5, 2]);
    assert_eq!(written(&mut socks), b"\x01\x05franz\x07odradek");
    read(&mut socks, &[1, 0]);
    assert_eq!(written(&mut socks), b"\x05\x01\x00\x03\x05kafka\x23\x84");
    read(&mut socks, &[5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(socks.is_open());
}

#[test]
fn a_user_need_not_be_asked_for() {
    let mut socks = Socks5::new(address("kafka:9092"), user()).unwrap();
    read(&mut socks, &[5, 0]);
    assert_eq!(written(&mut socks)[..3], [5, 1, 0]);
}

/// What follows the dialogue is the host's, also if it comes with the proxy's last word.
#[test]
fn what_follows_stays_in_the_buffer() {
    let mut socks = Socks5::new(address("kafka:9092"), None).unwrap();
    read(&mut socks, &[5, 0]);
    let left = read(&mut socks, b"\x05\x00\x00\x03\x03any\x00\x00hello");
    assert_eq!(left, b"hello");
    assert_eq!(read(&mut socks, b"more"), b"more");
}

#[test]
fn hostile_and_unwilling_proxies() {
    let told = |user: Option<(Str, Secret)>, answers: &[&[u8]]| {
        let mut socks = Socks5::new(address("kafka:9092"), user).unwrap();
        for answer in answers {
            read(&mut socks, answer);
        }
        assert!(!socks.is_open());
        // A failure is for good.
        let failure = socks.failure();
        read(&mut socks, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(socks.failure(), failure);
        failure
    };
    assert_eq!(told(None, &[b"HTTP/1.1 400 Bad Request"]), Some(SocksError::NotSocks5));
    assert_eq!(told(None, &[&[4, 90]]), Some(SocksError::NotSocks5));
    assert_eq!(told(None, &[&[5, 0xff]]), Some(SocksError::WantsAuthentication));
    assert_eq!(told(None, &[&[5, 2]]), Some(SocksError::WantsAuthentication));
    assert_eq!(told(user(), &[&[5, 0xff]]), Some(SocksError::NoMethod));
    assert_eq!(told(user(), &[&[5, 2], &[1, 1]]), Some(SocksError::Denied));
    assert!(matches!(told(user(), &[&[5, 2], &[5, 0]]), Some(SocksError::Malformed(_))));
    assert!(matches!(told(user(), &[&[5, 1]]), Some(SocksError::Malformed(_))));
    assert_eq!(told(None, &[&[5, 0], &[5, 2]]), Some(SocksError::Refused(2)));
    assert_eq!(told(None, &[&[5, 0], &[5, 99, 0, 1]]), Some(SocksError::Refused(99)));
    assert!(matches!(told(None, &[&[5, 0], &[1, 0]]), Some(SocksError::Malformed(_))));
    assert!(matches!(told(None, &[&[5, 0], &[5, 0, 0, 2]]), Some(SocksError::Malformed(_))));
}

/// It waits, and the connection's timeout is what ends that.
#[test]
fn what_is_not_whole_is_left_where_it_is() {
    let mut socks = Socks5::new(address("kafka:9092"), None).unwrap();
    assert_eq!(read(&mut socks, &[5]), [5]);
    read(&mut socks, &[5, 0]);
    for reply in [&[5][..], &[5, 0, 0], &[5, 0, 0, 3], &[5, 0, 0, 3, 200, b'a'], &[5, 0, 0, 1, 1, 1, 1, 1, 1]]
    {
        assert_eq!(read(&mut socks, reply), reply);
        assert!(!socks.is_open() && socks.failure().is_none());
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    let long = "a".repeat(MAX_TEXT_BYTES + 1);
    let target = Address { host: Str::from(long.clone()), port: 1 };
    assert!(matches!(Socks5::new(target, None), Err(SocksError::Unspeakable("the host's name"))));
    let user = Some((Str::from(long), Secret::from("x")));
    assert!(matches!(Socks5::new(address("a:1"), user), Err(SocksError::Unspeakable("the user's name"))));
    let user = Some((Str::from("x"), Secret::from("")));
    assert!(matches!(Socks5::new(address("a:1"), user), Err(SocksError::Unspeakable("the password"))));
}

#[test]
fn every_state_and_everything_that_may_be_heard() {
    use Heard::{Accepted, ByPassword, Failure, Granted, NoAuthentication};
    let all = [NoAuthentication, ByPassword, Accepted, Granted, Failure];
    let reached: Vec<_> = STATES.iter().map(|state| all.map(|heard| next(*state, heard))).collect();
    use State::{Authentication, Failed, Open, Reply};
    assert_eq!(
        reached,
        [
            [Reply, Authentication, Failed, Failed, Failed],
            [Failed, Failed, Reply, Failed, Failed],
            [Failed, Failed, Failed, Open, Failed],
            [Open; 5],
            [Failed; 5],
        ]
    );
}

#[test]
fn secrets_are_not_shown() {
    let mut socks = Socks5::new(address("kafka:9092"), user()).unwrap();
    read(&mut socks, &[5, 2]);
    assert!(!alloc::format!("{socks:?}").contains("odradek"));
    assert!(SocksError::Denied.to_string().contains("denies"));
}

proptest! {
    /// Any bytes, in any pieces: no panic, the same end, and nothing is held that is not due.
    #[test]
    fn any_bytes_in_any_pieces(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..6], 0..300),
                               cut in 0_usize..300, with_user: bool) {
        let make = || Socks5::new(address("kafka:9092"), with_user.then(user).flatten()).unwrap();
        let mut whole = make();
        let mut buffer = BytesMut::from(&bytes[..]);
        whole.handle_read(&mut buffer);
        let mut pieces = make();
        let mut collected = BytesMut::new();
        let cut = cut.min(bytes.len());
        for piece in [&bytes[..cut], &bytes[cut..]] {
            collected.extend_from_slice(piece);
            pieces.handle_read(&mut collected);
        }
        prop_assert_eq!(whole.state, pieces.state);
        prop_assert_eq!(whole.failure(), pieces.failure());
        prop_assert_eq!(buffer, collected);
        prop_assert!(whole.outgoing().len() <= 3 + 2 * MAX_TEXT_BYTES);
    }
}
