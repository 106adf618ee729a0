//! Scripts of inputs and expected outputs.

mod authentication;
mod frames;
mod handshake;
mod hostile;
mod laws;
mod link;
mod requests;
mod transitions;
