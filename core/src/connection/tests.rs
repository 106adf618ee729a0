//! Scripts of inputs and expected outputs.

mod authentication;
mod elsewhere;
mod frames;
mod handshake;
mod hostile;
mod laws;
mod link;
mod requests;
mod transitions;
