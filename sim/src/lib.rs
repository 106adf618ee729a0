//! A deterministic Kafka cluster for tests, and the embedded broker.
