//! Addresses as people write them.

use crate::cluster::{Address, InvalidAddress};

#[test]
fn reads_and_prints() {
    for (text, host, port, printed) in [
        ("localhost:9092", "localhost", 9092, "localhost:9092"),
        (" kafka.example.org:19092 ", "kafka.example.org", 19092, "kafka.example.org:19092"),
        ("kafka", "kafka", 9092, "kafka:9092"),
        ("[::1]:9094", "::1", 9094, "[::1]:9094"),
        ("[fe80::1]", "fe80::1", 9092, "[fe80::1]:9092"),
        ("::1", "::1", 9092, "[::1]:9092"),
    ] {
        let address: Address = text.parse().unwrap();
        assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
        assert_eq!(std::format!("{address}"), printed);
    }
}

#[test]
fn refuses_what_is_none() {
    for text in
        ["", ":9092", "host:", "host:x", "host:70000", "host:0", "[::1", "[::1]9092", "http://h:1", "a b:1"]
    {
        assert_eq!(text.parse::<Address>(), Err(InvalidAddress), "{text}");
    }
}
