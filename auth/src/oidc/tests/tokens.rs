use std::time::{Duration, UNIX_EPOCH};

use klamm_engine::Secret;

use super::{
    super::{
        TokenError,
        token::{of_response, of_text},
    },
    server::token,
};

#[test]
fn a_token_lasts_as_long_as_the_shorter_of_both_says() {
    let now = UNIX_EPOCH + Duration::from_secs(1_000);
    let lifetime = |body: String| of_response(&Secret::from(body), now).map(|token| token.lifetime);
    let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
    let token = token(1_090);
    assert_eq!(lifetime(format!(r#"{{"access_token":"{token}"}}"#)), seconds(90));
    assert_eq!(lifetime(format!(r#"{{"id_token":"{token}","expires_in":30}}"#)), seconds(30));
    assert_eq!(lifetime(format!(r#"{{"access_token":"{token}","expires_in":3600}}"#)), seconds(90));
    assert_eq!(lifetime(r#"{"access_token":"opaque","expires_in":"45"}"#.into()), seconds(45));
    assert_eq!(lifetime(r#"{"access_token":"opaque","expires_in":45.9}"#.into()), seconds(45));
    assert_eq!(lifetime(r#"{"access_token":"opaque","expires_in":"soon"}"#.into()), Ok(None));
    assert_eq!(lifetime(r#"{"access_token":"opaque","expires_in":-1}"#.into()), Err(TokenError::Expired));
    assert_eq!(lifetime(r#"{"access_token":"opaque"}"#.into()), Ok(None));
    // The one for access is meant.
    let both = of_response(&Secret::from(r#"{"id_token":"b","access_token":"a"}"#), now).unwrap();
    assert_eq!(both.token.expose(), b"a");
}

#[test]
fn the_moment_of_expiry_is_too_late() {
    let at = |seconds| of_text(&token(500), UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(at(499).unwrap().lifetime, Some(Duration::from_secs(1)));
    assert_eq!(at(500).unwrap_err(), TokenError::Expired);
    assert_eq!(at(501).unwrap_err(), TokenError::Expired);
}

#[test]
fn tokens_that_only_look_like_json_web_tokens_are_taken_as_they_are() {
    for text in ["a.b.c", "..", "a.e30.c", "opaque", "a.bnVsbA.c"] {
        let token = of_text(text, UNIX_EPOCH).unwrap();
        assert_eq!((token.token.expose(), token.lifetime), (text.as_bytes(), None));
    }
}
