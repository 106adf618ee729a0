use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{AwsCredentials, MskIam, region, sign::timestamp};

fn url(region: &str, credentials: AwsCredentials, now: u64, lifetime: u64) -> String {
    let lifetime = Duration::from_secs(lifetime);
    let mut signer = MskIam::new(region, credentials).lifetime(lifetime);
    let token = signer.token(UNIX_EPOCH + Duration::from_secs(now)).unwrap();
    assert_eq!(token.lifetime, Some(lifetime));
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token.token.expose()).unwrap()).unwrap()
}

// The vectors are what AWS's own library for Python (botocore 1.43, SigV4QueryAuth) makes of the same.

#[test]
fn tokens_are_signed_as_aws_signs_them() {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
    };
    assert_eq!(
        url("us-east-1", credentials, 1_440_938_160, 900),
        "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fkafka-cluster%2Faws4_request\
         &X-Amz-Date=20150830T123600Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=c413a83bc64a339e31a5e5e9ed99d778ff843206b427540cafa5122c01e3e993&User-Agent=klamm"
    );
}

#[test]
fn the_token_of_a_session_is_signed_with_the_rest() {
    let credentials = AwsCredentials {
        access_key_id: "ASIAEXAMPLE".into(),
        secret_access_key: "secret/with+signs".into(),
        session_token: Some("FwoGZXIvYXdzEBY/a+b==".into()),
    };
    assert_eq!(
        url("eu-central-1", credentials, 1_709_208_000, 300),
        "https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect\
         &X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=ASIAEXAMPLE%2F20240229%2Feu-central-1%2Fkafka-cluster%2Faws4_request\
         &X-Amz-Date=20240229T120000Z&X-Amz-Expires=300&X-Amz-Security-Token=FwoGZXIvYXdzEBY%2Fa%2Bb%3D%3D\
         &X-Amz-SignedHeaders=host\
         &X-Amz-Signature=94122a489fd6127584cf4587a2dae6447237e7564998165a9c79a7cf3fbc1c0f&User-Agent=klamm"
    );
}

#[test]
fn timestamps_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "19700101T000000Z"),
        (951_782_399, "20000228T235959Z"),
        (951_782_400, "20000229T000000Z"),
        (951_868_800, "20000301T000000Z"),
        (1_704_067_199, "20231231T235959Z"),
        (1_704_067_200, "20240101T000000Z"),
        (4_107_542_400, "21000301T000000Z"),
    ] {
        assert_eq!(timestamp(seconds), text);
    }
}

#[test]
fn the_region_is_the_one_given_or_that_of_the_brokers() {
    let brokers = |name: &str| vec![String::from("localhost:9092"), format!("{name}:9098")];
    let of = |name| region(None, &brokers(name));
    assert_eq!(of("b-1.orders.abc.c2.kafka.eu-west-1.amazonaws.com").as_deref(), Some("eu-west-1"));
    let serverless = "boot-x.c3.kafka-serverless.us-east-2.amazonaws.com";
    assert_eq!(of(serverless).as_deref(), Some("us-east-2"));
    assert_eq!(of("b-1.x.kafka.cn-north-1.amazonaws.com.cn").as_deref(), Some("cn-north-1"));
    assert_eq!(of("kafka.example.com"), None);
    let given = region(Some("ap-south-1".into()), &brokers(serverless));
    assert_eq!(given.as_deref(), Some("ap-south-1"));
}

#[test]
fn no_secret_is_shown() {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "hunter2".into(),
        session_token: Some("hunter3".into()),
    };
    let shown = format!("{credentials:?} {:?}", MskIam::new("eu-west-1", credentials.clone()));
    assert!(!shown.contains("hunter"), "{shown}");
    let mut signer = MskIam::asking("eu-west-1", || Err(String::from("the role is gone")));
    assert_eq!(signer.token(UNIX_EPOCH).unwrap_err(), "the role is gone");
}
