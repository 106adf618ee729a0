//! Single requests of the protocol over a socket, for what no client would send.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{Message as _, Request};

use crate::Outcome;

/// A connection to a broker.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    client_id: &'static str,
}

impl Wire {
    /// Connects to a broker.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: &str, client_id: &'static str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        // Only a broker that hangs is caught by this.
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, client_id })
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// When the connection breaks, or either cannot be said in this version.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        self.send(version, request)?;
        self.receive::<R>(version)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the connection breaks, or the request cannot be said in this version.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Outcome<()> {
        self.send_frame(&frame(self.client_id, version, request)?)
    }

    /// Sends bytes as one frame: their length goes before them.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send_frame(&mut self, body: &[u8]) -> Outcome<()> {
        let mut frame = u32::try_from(body.len())?.to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        self.send_bytes(&frame)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Waits for the response to the oldest request without one.
    ///
    /// # Errors
    /// When the connection breaks, or what comes cannot be read.
    pub fn receive<R: Request>(&mut self, version: i16) -> Outcome<R::Response> {
        let body = self.receive_frame()?.ok_or("the broker closed the connection")?;
        decode::<R>(version, body)
    }

    /// Waits for a frame; there is none when the broker closes the connection.
    ///
    /// # Errors
    /// When nothing comes for a minute, or the connection closes within a frame.
    pub fn receive_frame(&mut self) -> Outcome<Option<Bytes>> {
        let mut length = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut length) {
            let is_closed = matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            );
            return if is_closed { Ok(None) } else { Err(error.into()) };
        }
        let length = u64::from(u32::from_be_bytes(length));
        let mut body = Vec::new();
        if (&self.stream).take(length).read_to_end(&mut body)? as u64 != length {
            return Err("the connection was closed within a response".into());
        }
        Ok(Some(Bytes::from(body)))
    }
}

/// A request with its header, without the four bytes of its length. The correlation id is 0.
///
/// # Errors
/// When the request cannot be said in this version.
pub fn frame<R: Request>(client_id: &'static str, version: i16, request: &R) -> Outcome<Bytes> {
    let mut writer = Writer::new();
    let header = RequestHeader {
        request_api_key: R::API_KEY.0,
        request_api_version: version,
        client_id: Some(client_id.into()),
        ..RequestHeader::default()
    };
    header.encode(&mut writer, request_header_version(R::API_KEY, version).ok_or("no such version")?)?;
    request.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// What a frame says as a response to a request of this kind and version, all of it.
///
/// # Errors
/// When it cannot be read as such.
pub fn decode<R: Request>(version: i16, body: Bytes) -> Outcome<R::Response> {
    let mut reader = Reader::new(body);
    let header_version = response_header_version(R::API_KEY, version).ok_or("no such version")?;
    ResponseHeader::decode(&mut reader, header_version)?;
    let response = R::Response::decode(&mut reader, version)?;
    reader.finish()?;
    Ok(response)
}
