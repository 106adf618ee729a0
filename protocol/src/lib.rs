//! Kafka's messages, record batches and codecs.
