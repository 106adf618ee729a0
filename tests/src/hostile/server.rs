//! The server: a thread that accepts, and one for each connection.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Misbehaviour;
use super::frames::{self, Asked};

/// A server that misbehaves until it is dropped.
#[derive(Debug)]
pub struct HostileServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    accepted: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl HostileServer {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no such port.
    pub fn start(misbehaviour: Misbehaviour) -> io::Result<Self> {
        Self::serving(misbehaviour != Misbehaviour::Unreachable, move |stream, port| {
            serve(stream, misbehaviour, port)
        })
    }

    /// Starts a server that does with each connection what `serve` does, if it listens at all.
    pub(super) fn serving(
        listens: bool,
        serve: impl Fn(&TcpStream, u16) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        if listens {
            let shared = Arc::clone(&shared);
            let serve: Arc<Serve> = Arc::new(serve);
            thread::spawn(move || accept(&listener, &shared, &serve));
        }
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the thread that accepts; it may be gone already.
        drop(TcpStream::connect(self.address));
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

/// What is done with a connection, given the server's port.
type Serve = dyn Fn(&TcpStream, u16) -> io::Result<()> + Send + Sync;

fn accept(listener: &TcpListener, shared: &Arc<Shared>, serve: &Arc<Serve>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.ended.load(Ordering::Acquire) {
            return;
        }
        shared.accepted.fetch_add(1, Ordering::AcqRel);
        if let Ok(copy) = stream.try_clone() {
            shared.open.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        }
        let port = listener.local_addr().map_or(0, |address| address.port());
        let serve = Arc::clone(serve);
        // A connection ends with an error when the client closes it, which is what it should do.
        thread::spawn(move || {
            let ended = serve(&stream, port);
            drop(stream.shutdown(Shutdown::Both));
            ended
        });
    }
}

fn serve(mut stream: &TcpStream, misbehaviour: Misbehaviour, port: u16) -> io::Result<()> {
    match misbehaviour {
        Misbehaviour::Unreachable | Misbehaviour::CloseAtOnce => return Ok(()),
        Misbehaviour::Banner => {
            stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
            return swallow(stream);
        }
        Misbehaviour::Http => {
            let mut some = [0; 16];
            let _read: usize = stream.read(&mut some)?;
            stream.write_all(
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nBad Request",
            )?;
            return drain(stream);
        }
        Misbehaviour::Tls => {
            let mut some = [0; 16];
            let _read: usize = stream.read(&mut some)?;
            // A fatal alert: protocol_version.
            stream.write_all(&[21, 3, 3, 0, 2, 2, 70])?;
            return drain(stream);
        }
        _ => {}
    }
    let mut answered = 0;
    while let Some(asked) = frames::read_request(&mut stream)? {
        if !answer(stream, misbehaviour, asked, port, answered)? {
            return Ok(());
        }
        answered += 1;
    }
    Ok(())
}

/// Answers one request; returns whether to go on.
fn answer(
    mut stream: &TcpStream,
    misbehaviour: Misbehaviour,
    asked: Asked,
    port: u16,
    answered: u64,
) -> io::Result<bool> {
    let handshake = asked.api_key == frames::API_VERSIONS;
    let well = frames::frame(asked.correlation, &frames::api_versions(asked.version));
    match misbehaviour {
        Misbehaviour::CloseOnRequest => return Ok(false),
        Misbehaviour::CloseMidFrame => {
            stream.write_all(&well[..well.len() / 2])?;
            return Ok(false);
        }
        Misbehaviour::NeverAnswer => {}
        Misbehaviour::OneByteASecond => {
            for byte in well {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_secs(1));
            }
        }
        Misbehaviour::WrongCorrelation => {
            stream.write_all(&frames::frame(asked.correlation.wrapping_add(77), &well[8..]))?;
        }
        Misbehaviour::ClaimLength(length) => {
            stream.write_all(&length.to_be_bytes())?;
            stream.write_all(&[0x55; 64])?;
            swallow(stream)?;
        }
        Misbehaviour::HugeCount => {
            stream.write_all(&frames::frame(asked.correlation, &frames::huge_api_versions(asked.version)))?;
        }
        Misbehaviour::UnsupportedVersion => {
            stream.write_all(&frames::frame(asked.correlation, &frames::unsupported_version()))?;
        }
        _ if handshake => stream.write_all(&well)?,
        Misbehaviour::RandomFrames(seed) => {
            stream.write_all(&frames::frame(asked.correlation, &random_bytes(seed + answered, 300)))?;
        }
        Misbehaviour::RandomBytes(seed) => stream.write_all(&random_bytes(seed + answered, 5_000))?,
        Misbehaviour::NeverReady if frames::is_metadata(asked) => {
            stream.write_all(&frames::frame(
                asked.correlation,
                &frames::lonely_metadata(asked.version, port),
            ))?;
        }
        Misbehaviour::NeverReady => {}
        _ => stream.write_all(&frames::frame(asked.correlation, &frames::huge_counts(asked)))?,
    }
    Ok(true)
}

/// Closes the sending side and reads what still comes, so that the peer sees all that was sent.
fn drain(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    swallow(stream)
}

pub(super) fn swallow(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Bytes that look random and are the same for the same seed (an xorshift generator).
pub(super) fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}
