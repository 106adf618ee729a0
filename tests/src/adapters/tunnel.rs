//! Connectors for the tunnel of [`crate::relay`], one for each adapter.

use std::io::Write as _;
use std::path::PathBuf;

use klamm_engine::Connector;

pub(super) fn tokio(path: PathBuf) -> impl Connector {
    use tokio::io::AsyncWriteExt as _;
    klamm_tokio::connector(move |address| {
        let connecting = tokio::net::UnixStream::connect(path.clone());
        async move {
            let mut stream = connecting.await?;
            stream.write_all(format!("{address}\n").as_bytes()).await?;
            Ok(stream)
        }
    })
}

pub(super) fn smol(path: PathBuf) -> impl Connector {
    use smol::io::AsyncWriteExt as _;
    klamm_async_std::connector(move |address| {
        let path = path.clone();
        async move {
            let mut stream = smol::net::unix::UnixStream::connect(path).await?;
            stream.write_all(format!("{address}\n").as_bytes()).await?;
            Ok(stream)
        }
    })
}

pub(super) fn async_std(path: PathBuf) -> impl Connector {
    use async_std::io::WriteExt as _;
    klamm_async_std::connector(move |address| {
        let path = path.clone();
        async move {
            let mut stream = async_std::os::unix::net::UnixStream::connect(path).await?;
            stream.write_all(format!("{address}\n").as_bytes()).await?;
            Ok(stream)
        }
    })
}

pub(super) fn blocking(path: PathBuf) -> impl Connector {
    klamm_blocking::connector(move |address| {
        let mut stream = std::os::unix::net::UnixStream::connect(&path)?;
        stream.write_all(format!("{address}\n").as_bytes())?;
        Ok(stream)
    })
}
