//! An issuer of tokens, and its endpoint.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{KeyPair, SigningKey as _};

use crate::Outcome;

/// Whom the endpoint gives tokens: id and secret.
pub const CLIENT: (&str, &str) = ("orders", "orders-secret");

/// A token endpoint (grant `client_credentials`) until it is dropped.
#[derive(Debug)]
pub struct TokenEndpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    issued: AtomicUsize,
}

impl TokenEndpoint {
    /// Starts one on a free port of the loopback interface; `issue` makes the tokens.
    ///
    /// # Errors
    /// When there is no such port.
    pub fn start(issue: impl Fn() -> Outcome<String> + Send + 'static) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let kept = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if shared.ended.load(Ordering::Acquire) {
                    return;
                }
                // A client that is gone is not the endpoint's trouble.
                drop(serve(&stream, &issue, &shared));
            }
        });
        Ok(Self { address, shared: kept })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// How many tokens it has issued.
    #[must_use]
    pub fn issued(&self) -> usize {
        self.shared.issued.load(Ordering::Acquire)
    }
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: &TcpStream, issue: &impl Fn() -> Outcome<String>, shared: &Shared) -> Outcome<()> {
    let request = read_request(stream)?;
    let (id, secret) = CLIENT;
    let login = format!("Basic {}\r\n", BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let (status, body) = if !request.contains(&login) {
        ("401 Unauthorized", String::from(r#"{"error":"invalid_client","error_description":"who is that?"}"#))
    } else if !request.contains("grant_type=client_credentials") {
        ("400 Bad Request", String::from(r#"{"error":"unsupported_grant_type"}"#))
    } else {
        let token = issue()?;
        shared.issued.fetch_add(1, Ordering::AcqRel);
        ("200 OK", format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#))
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())?;
    Ok(())
}

/// A request with its body.
fn read_request(mut stream: &TcpStream) -> io::Result<String> {
    let mut request = String::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        request.push_str(&String::from_utf8_lossy(&chunk[..count]));
        let length = request.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if let Some((_, body)) = request.split_once("\r\n\r\n")
            && body.len() >= length.unwrap_or(0)
        {
            return Ok(request);
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Signs tokens by ES256.
pub struct Issuer(KeyPair);

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

impl Issuer {
    /// One with a new key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Outcome<Self> {
        Ok(Self(KeyPair::generate()?))
    }

    /// Its public key as brokers want it (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> String {
        // An uncompressed point: 4, then both coordinates.
        let (x, y) = self.0.public_key_raw()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| BASE64_URL_SAFE_NO_PAD.encode(coordinate));
        format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"k1","x":"{x}","y":"{y}"}}]}}"#
        )
    }

    /// A token for a user and an audience that holds for so many seconds.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn token(&self, user: &str, audience: &str, seconds: i64) -> Outcome<String> {
        let now = seconds_since_1970();
        let until = now + seconds;
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let header = encode(r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#);
        let claims = encode(&format!(
            r#"{{"sub":"{user}","aud":"{audience}","iss":"klamm-tests","scope":"kafka","iat":{now},"exp":{until}}}"#
        ));
        let signed = format!("{header}.{claims}");
        let signature = fixed(&self.0.sign(signed.as_bytes())?).ok_or("the signature is no DER")?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Now, by the system's clock.
#[must_use]
pub fn seconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A signature in DER, two integers, as tokens have it: each in 32 bytes.
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let mut rest = der.get(2..)?;
    let mut both = Vec::new();
    for _ in 0..2 {
        let length = usize::from(*rest.get(1)?);
        let number = rest.get(2..2 + length)?;
        let number = &number[number.len().saturating_sub(32)..];
        both.resize(both.len() + 32 - number.len(), 0);
        both.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    Some(both)
}
