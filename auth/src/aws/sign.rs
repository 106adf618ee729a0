//! Signature Version 4, for the one URL that MSK takes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::AwsCredentials;
use crate::encode::{UNRESERVED, percent};

const SERVICE: &str = "kafka-cluster";
const ACTION: &str = "kafka-cluster:Connect";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The hash of a body that is not there.
const NO_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A URL that says for `lifetime` seconds from `now` on, in seconds since 1970, that whoever shows it may connect.
pub(super) fn presigned(
    region: &str,
    credentials: &AwsCredentials,
    now: u64,
    lifetime: u64,
) -> Zeroizing<String> {
    let host = format!("kafka.{region}.amazonaws.com");
    let time = timestamp(now);
    let date = &time[..8];
    let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
    let query = query(credentials, &scope, &time, lifetime);
    let request = Zeroizing::new(format!("GET\n/\n{}\nhost:{host}\n\nhost\n{NO_BODY}", *query));
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
    let mut key = Zeroizing::new(b"AWS4".to_vec());
    key.extend_from_slice(credentials.secret_access_key.expose());
    for step in [date, region, SERVICE, "aws4_request"] {
        key = hmac(&key, step);
    }
    let signature = hex(&hmac(&key, &to_sign));
    Zeroizing::new(format!("https://{host}/?{}&X-Amz-Signature={signature}&User-Agent=klamm", *query))
}

/// What is signed of the URL, in the order of the names.
fn query(credentials: &AwsCredentials, scope: &str, time: &str, lifetime: u64) -> Zeroizing<String> {
    let lifetime = lifetime.to_string();
    let credential = format!("{}/{scope}", credentials.access_key_id);
    let session = credentials.session_token.as_ref();
    let session = session.map(|token| Zeroizing::new(String::from_utf8_lossy(token.expose()).into_owned()));
    let parameters = [
        ("Action", Some(ACTION)),
        ("X-Amz-Algorithm", Some(ALGORITHM)),
        ("X-Amz-Credential", Some(&*credential)),
        ("X-Amz-Date", Some(time)),
        ("X-Amz-Expires", Some(&*lifetime)),
        ("X-Amz-Security-Token", session.as_ref().map(|token| token.as_str())),
        ("X-Amz-SignedHeaders", Some("host")),
    ];
    let mut query = Zeroizing::new(String::new());
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        percent(value, UNRESERVED, &mut query);
    }
    query
}

fn hmac(key: &[u8], message: &str) -> Zeroizing<Vec<u8>> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970 as `YYYYMMDD'T'HHMMSS'Z'`.
pub(super) fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have the odd day at their end.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month < 3);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}
