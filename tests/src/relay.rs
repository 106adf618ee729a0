//! What is between a client and its brokers: a SOCKS5 proxy, and a tunnel behind a Unix socket.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Outcome;

/// The end of the names that only the proxy and the tunnel know: what is before it is their address.
pub const INSIDE: &str = ".inside";

/// How a proxy behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It lets everybody through.
    Open,
    /// It wants this name and password.
    Guarded(&'static str, &'static str),
    /// It refuses each connection with this code.
    Refusing(u8),
    /// It ends each connection once it was asked.
    HangingUp,
    /// It is a web server.
    Http,
}

/// A relay that works until it is dropped.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    address: Where,
}

#[derive(Debug)]
enum Where {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    asked: Mutex<Vec<String>>,
}

impl Shared {
    /// Connects to what was asked for.
    fn reach(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{host}:{port}"));
        let host = if host.ends_with(INSIDE) { "127.0.0.1" } else { host };
        TcpStream::connect((host, port))
    }
}

impl Relay {
    /// A SOCKS5 proxy on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no such port.
    pub fn socks5(manner: Manner) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, shared) = (Where::Tcp(listener.local_addr()?), Arc::new(Shared::default()));
        let there = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if there.ended.load(Ordering::Acquire) {
                    return;
                }
                let shared = Arc::clone(&there);
                thread::spawn(move || drop(serve(client, &shared, manner)));
            }
        });
        Ok(Self { shared, address })
    }

    /// A tunnel that is told where to by the first line.
    ///
    /// # Errors
    /// When there can be no socket.
    pub fn tunnel() -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("klamm-{}-{}.sock", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let (listener, shared) = (UnixListener::bind(&path)?, Arc::new(Shared::default()));
        let there = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if there.ended.load(Ordering::Acquire) {
                    return;
                }
                let shared = Arc::clone(&there);
                thread::spawn(move || drop(dig(client, &shared)));
            }
        });
        Ok(Self { shared, address: Where::Unix(path) })
    }

    /// Where the proxy is.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.address {
            Where::Tcp(address) => address.to_string(),
            Where::Unix(path) => path.display().to_string(),
        }
    }

    /// The tunnel's socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.address {
            Where::Tcp(_) => Path::new(""),
            Where::Unix(path) => path,
        }
    }

    /// What it was asked for, in that order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        match &self.address {
            Where::Tcp(address) => drop(TcpStream::connect(address)),
            Where::Unix(path) => {
                drop(UnixStream::connect(path));
                drop(std::fs::remove_file(path));
            }
        }
    }
}

/// The first line says where to.
fn dig(mut client: UnixStream, shared: &Shared) -> io::Result<()> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.push(byte(&mut client)?);
    }
    let line = String::from_utf8_lossy(&line);
    let (host, port) = line.trim().rsplit_once(':').ok_or(io::ErrorKind::InvalidData)?;
    let broker = shared.reach(host, port.parse().map_err(|_| io::ErrorKind::InvalidData)?)?;
    let (mut into, mut from) = (client.try_clone()?, client.try_clone()?);
    relay(&broker, &mut from, &mut into, || drop(client.shutdown(Shutdown::Both)))
}

fn serve(mut client: TcpStream, shared: &Shared, manner: Manner) -> io::Result<()> {
    let [_, count] = array(&mut client)?;
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods)?;
    if manner == Manner::Http {
        return client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    }
    if let Manner::Guarded(name, password) = manner {
        if !methods.contains(&2) {
            return client.write_all(&[5, 0xff]);
        }
        client.write_all(&[5, 2])?;
        let [_] = array(&mut client)?;
        let given = (text(&mut client)?, text(&mut client)?);
        if given != (name.into(), password.into()) {
            return client.write_all(&[1, 1]);
        }
        client.write_all(&[1, 0])?;
    } else {
        client.write_all(&[5, 0])?;
    }
    let [_, _, _, kind] = array(&mut client)?;
    let host = match kind {
        1 => Ipv4Addr::from(array::<4>(&mut client)?).to_string(),
        3 => text(&mut client)?,
        _ => return client.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]),
    };
    let port = u16::from_be_bytes(array(&mut client)?);
    match manner {
        Manner::HangingUp => return Ok(()),
        Manner::Refusing(code) => return client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]),
        _ => {}
    }
    let Ok(broker) = shared.reach(&host, port) else {
        return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
    };
    // The address that it connected from, as a name: the longest form.
    client.write_all(b"\x05\x00\x00\x03\x05proxy\x00\x00")?;
    let (mut into, mut from) = (client.try_clone()?, client.try_clone()?);
    relay(&broker, &mut from, &mut into, || drop(client.shutdown(Shutdown::Both)))
}

/// Copies both ways until either side ends.
fn relay(
    broker: &TcpStream,
    from: &mut (impl Read + Send),
    into: &mut (impl Write + Send),
    end: impl Fn(),
) -> io::Result<()> {
    broker.set_nodelay(true)?;
    let (mut answers, mut requests) = (broker.try_clone()?, broker.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(|| {
            drop(io::copy(from, &mut requests));
            drop(requests.shutdown(Shutdown::Both));
        });
        drop(io::copy(&mut answers, into));
        end();
    });
    Ok(())
}

fn array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn byte(stream: &mut impl Read) -> io::Result<u8> {
    array::<1>(stream).map(|[byte]| byte)
}

/// A text behind its length.
fn text(stream: &mut impl Read) -> io::Result<String> {
    let mut bytes = vec![0; byte(stream)?.into()];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
