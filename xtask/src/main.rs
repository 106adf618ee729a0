//! Developer commands: schema import and code generation.

fn main() {}
