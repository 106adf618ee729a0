mod assertions;
mod endpoints;
mod server;
mod settings;
mod tokens;
