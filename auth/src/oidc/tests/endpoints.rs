use std::time::Duration;

use super::{
    super::{Assertion, Oidc, TokenError},
    server::{Reply, Server, token},
};

const FAR: u64 = 9_000_000_000;

fn granted() -> Reply {
    Reply::Json(200, format!(r#"{{"access_token":"{}","expires_in":60,"token_type":"Bearer"}}"#, token(FAR)))
}

fn of(server: &Server) -> Oidc {
    let moment = Duration::from_millis(1);
    Oidc::client_credentials(&server.url, "or:ders", "hun ter2").retry_backoff(moment, moment)
}

/// Why there is no token when the endpoint answers so.
fn refusal(replies: Vec<Reply>) -> TokenError {
    let server = Server::start(replies);
    let error = of(&server).fetch().unwrap_err();
    server.requests();
    assert!(!error.to_string().contains("hun ter2"), "{error}");
    error
}

#[test]
fn client_credentials_are_a_header_and_a_form() {
    let server = Server::start(vec![granted(), granted()]);
    let oidc = of(&server).scope("kafka read+write").extension("logicalCluster", "lkc-1");
    let bearer = oidc.fetch().unwrap();
    assert_eq!(bearer.lifetime, Some(Duration::from_secs(60)));
    assert_eq!(bearer.token.expose(), token(FAR).as_bytes());
    assert_eq!(bearer.extensions, [("logicalCluster".into(), "lkc-1".into())]);
    oidc.urlencode_header(true).fetch().unwrap();
    let requests = server.requests();
    assert!(requests[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", requests[0]);
    // or:ders:hun ter2, and or%3Aders:hun%20ter2.
    assert!(requests[0].contains("Basic b3I6ZGVyczpodW4gdGVyMg==\r\n"), "{}", requests[0]);
    assert!(requests[1].contains("Basic b3IlM0FkZXJzOmh1biUyMHRlcjI=\r\n"), "{}", requests[1]);
    let form = "\r\n\r\ngrant_type=client_credentials&scope=kafka%20read%2Bwrite";
    assert!(requests.iter().all(|request| request.ends_with(form)), "{}", requests[0]);
}

#[test]
fn an_assertion_takes_the_place_of_the_secret() {
    let folder = std::env::temp_dir().join(format!("klamm-auth-{}-assertion", std::process::id()));
    std::fs::write(&folder, "head.claims.signature\n").unwrap();
    let server = Server::start(vec![granted(), granted()]);
    let assertion = Assertion::file(&folder);
    Oidc::client_assertion(&server.url, Some("orders".into()), assertion.clone()).fetch().unwrap();
    Oidc::jwt_bearer(&server.url, assertion).scope("kafka").fetch().unwrap();
    std::fs::remove_file(folder).unwrap();
    let requests = server.requests();
    assert!(requests.iter().all(|request| !request.to_ascii_lowercase().contains("authorization:")));
    let form = "grant_type=client_credentials\
                &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                &client_assertion=head.claims.signature&client_id=orders";
    assert!(requests[0].ends_with(form), "{}", requests[0]);
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
                &assertion=head.claims.signature&scope=kafka";
    assert!(requests[1].ends_with(form), "{}", requests[1]);
}

#[test]
fn what_a_refusal_says_is_passed_on() {
    let body = r#"{"error":"invalid_client","error_description":"no such\nclient"}"#;
    let error = refusal(vec![Reply::Json(401, body.into())]);
    assert_eq!(error.to_string(), "the token endpoint answered 401, invalid_client: no such client");
    let error = refusal(vec![Reply::Json(403, "<html>".into())]);
    assert_eq!(error.to_string(), "the token endpoint answered 403");
    let moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let error = refusal(vec![Reply::Raw(moved)]);
    assert!(error.to_string().contains("a redirect, which is not followed"), "{error}");
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    let server = Server::start(vec![
        Reply::Json(503, String::new()),
        Reply::Close,
        Reply::Json(429, String::from("{}")),
        granted(),
    ]);
    of(&server).fetch().unwrap();
    assert_eq!(server.requests().len(), 4);
    // One reply each: a second attempt would find nobody.
    for status in [400, 401, 403, 404, 501, 505] {
        let error = refusal(vec![Reply::Json(status, "{}".into())]);
        assert_eq!(error, TokenError::Refused { status, why: None });
    }
}

#[test]
fn answers_that_are_no_tokens_say_so() {
    for (body, told) in [
        ("<html>login</html>", "no JSON"),
        ("{\"token\":\"x\"}", "neither access_token nor id_token"),
        ("[]", "neither access_token nor id_token"),
        ("{\"access_token\":7}", "neither access_token nor id_token"),
        ("{\"access_token\":\"\"}", "an empty token"),
    ] {
        let error = refusal(vec![Reply::Json(200, body.into())]);
        assert!(error.to_string().contains(told), "{error}");
        assert!(!error.is_retriable());
    }
    let error = refusal(vec![Reply::Json(200, " ".repeat((1 << 20) + 1))]);
    assert!(error.to_string().contains("more than 1 MiB"), "{error}");
    let error = refusal(vec![Reply::Raw(b"SSH-2.0-OpenSSH_9.9\r\n")]);
    assert!(error.to_string().contains("not HTTP"), "{error}");
}

#[test]
fn an_expired_token_is_no_token() {
    let expired = token(1_700_000_000);
    let error = refusal(vec![Reply::Json(200, format!(r#"{{"access_token":"{expired}"}}"#))]);
    assert_eq!(error, TokenError::Expired);
    let error = refusal(vec![Reply::Json(200, r#"{"access_token":"x","expires_in":0}"#.into())]);
    assert_eq!(error, TokenError::Expired);
}

#[test]
fn an_endpoint_that_does_not_answer_is_given_up() {
    let server = Server::start(vec![Reply::Nothing]);
    let error = of(&server).timeout(Duration::from_millis(80)).fetch().unwrap_err();
    assert_eq!(error, TokenError::TimedOut);
    server.requests();
}

#[test]
fn an_endpoint_that_is_not_there_is_named_as_the_cause() {
    let error = Oidc::client_credentials("http://127.0.0.1:1/token", "a", "b")
        .timeout(Duration::from_millis(5))
        .retry_backoff(Duration::from_millis(100), Duration::from_millis(100))
        .fetch()
        .unwrap_err();
    assert!(error.to_string().contains("cannot be reached") && error.is_retriable(), "{error}");
    let error = Oidc::client_credentials("no url", "a", "b").fetch().unwrap_err();
    assert!(error.to_string().contains("URL"), "{error}");
}

#[test]
fn a_file_is_read_each_time() {
    let path = std::env::temp_dir().join(format!("klamm-auth-{}-token", std::process::id()));
    let oidc = Oidc::file(&path);
    assert!(matches!(oidc.fetch(), Err(TokenError::File(_))));
    for text in ["one.two.three\n".to_owned(), token(FAR)] {
        std::fs::write(&path, &text).unwrap();
        assert_eq!(oidc.fetch().unwrap().token.expose(), text.trim().as_bytes());
    }
    std::fs::write(&path, token(1)).unwrap();
    assert_eq!(oidc.fetch().unwrap_err(), TokenError::Expired);
    std::fs::remove_file(path).unwrap();
}
