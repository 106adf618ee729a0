//! A token endpoint that answers as it was told.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

/// What the server does with a connection.
pub(super) enum Reply {
    /// Answers with a status, a type and a body.
    Json(u16, String),
    /// These bytes.
    Raw(&'static [u8]),
    /// Says nothing until the client is gone.
    Nothing,
    /// Closes at once.
    Close,
}

/// A server for as many connections as there are replies.
pub(super) struct Server {
    pub(super) url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    pub(super) fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let serve = |reply| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read(&mut stream);
                match reply {
                    Reply::Json(status, body) => {
                        let head = format!(
                            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n\
                             Content-Length: {}\r\nConnection: close\r\n\r\n",
                            body.len()
                        );
                        stream.write_all((head + &body).as_bytes()).unwrap();
                    }
                    Reply::Raw(bytes) => drop(stream.write_all(bytes)),
                    Reply::Nothing => drop(stream.read(&mut [0])),
                    Reply::Close => {}
                }
                request
            };
            replies.into_iter().map(serve).collect()
        });
        Self { url, thread }
    }

    /// The requests, once all replies were used.
    pub(super) fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// A request with its body.
fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length.unwrap_or(0)
        {
            return text;
        }
        assert!(count > 0, "half a request: {text}");
    }
}

/// A JSON web token without a signature that expires at a second since 1970.
pub(super) fn token(expires: u64) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as CODE};
    format!(
        "{}.{}.",
        CODE.encode(r#"{"alg":"none"}"#),
        CODE.encode(format!(r#"{{"sub":"a","exp":{expires}}}"#))
    )
}
