//! Both ends of a pipe, without sockets.

mod authority;
mod material;
mod session;
