//! Single requests of the protocol over a socket, for what no client would send.

use std::io::{Read as _, Write as _};
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
        let mut writer = Writer::new();
        let header = RequestHeader {
            request_api_key: R::API_KEY.0,
            request_api_version: version,
            client_id: Some(self.client_id.into()),
            ..RequestHeader::default()
        };
        header.encode(&mut writer, request_header_version(R::API_KEY, version).ok_or("no such version")?)?;
        request.encode(&mut writer, version)?;
        let body = writer.into_bytes();
        let mut frame = u32::try_from(body.len())?.to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        Ok(self.stream.write_all(&frame)?)
    }

    /// Waits for the response to the oldest request without one.
    ///
    /// # Errors
    /// When the connection breaks, or what comes cannot be read.
    pub fn receive<R: Request>(&mut self, version: i16) -> Outcome<R::Response> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = Vec::new();
        let length = u64::from(u32::from_be_bytes(length));
        (&self.stream).take(length).read_to_end(&mut body)?;
        let mut reader = Reader::new(Bytes::from(body));
        let header_version = response_header_version(R::API_KEY, version).ok_or("no such version")?;
        ResponseHeader::decode(&mut reader, header_version)?;
        let response = R::Response::decode(&mut reader, version)?;
        reader.finish()?;
        Ok(response)
    }
}
