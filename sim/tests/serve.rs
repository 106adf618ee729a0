//! The embedded broker over real TCP, spoken to by plain sockets.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::compression::Compression;
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use klamm_protocol::messages::metadata::MetadataRequest;
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::records::{BatchEncoder, BatchLimits, RecordRef, Stamp};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ApiKey, ErrorCode, Message, RecordBytes, Request, Str};
use klamm_sim::cluster::Fault;
use klamm_sim::serve::ServeError;
use klamm_sim::{EmbeddedCluster, Release};

struct Client {
    stream: TcpStream,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // Only a broker that hangs is caught by this.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream }
    }

    fn send<R: Request>(&mut self, correlation_id: i32, version: i16, request: &R) {
        self.stream.write_all(&frame(correlation_id, version, request)).unwrap();
    }

    fn receive<R: Request>(&mut self, version: i16) -> (i32, R::Response) {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body).unwrap();
        let mut reader = Reader::new(Bytes::from(body));
        let header_version = response_header_version(R::API_KEY, version).unwrap();
        let header = ResponseHeader::decode(&mut reader, header_version).unwrap();
        let response = R::Response::decode(&mut reader, version).unwrap();
        reader.finish().unwrap();
        (header.correlation_id, response)
    }

    fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(7, version, request);
        let (correlation_id, response) = self.receive::<R>(version);
        assert_eq!(correlation_id, 7);
        response
    }

    /// Nothing has come by now.
    fn expect_silence(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let came = self.stream.read(&mut [0]);
        assert_eq!(came.unwrap_err().kind(), ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).unwrap();
    }

    /// Waits until the broker closes the connection.
    fn expect_closed(mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "the broker says {rest:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

fn frame<R: Request>(correlation_id: i32, version: i16, request: &R) -> Vec<u8> {
    let mut writer = Writer::new();
    let header = RequestHeader {
        request_api_key: R::API_KEY.0,
        request_api_version: version,
        correlation_id,
        ..RequestHeader::default()
    };
    header.encode(&mut writer, request_header_version(R::API_KEY, version).unwrap()).unwrap();
    request.encode(&mut writer, version).unwrap();
    let body = writer.into_bytes();
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body.as_ref()].concat()
}

fn produce(value: &[u8]) -> ProduceRequest {
    let mut encoder = BatchEncoder::new(BatchLimits { target_bytes: 1 << 24, max_bytes: 1 << 24 });
    encoder.append(&RecordRef { key: None, value: Some(value), headers: &[], timestamp: 1 }).unwrap();
    let records = RecordBytes::from(encoder.seal(Compression::None).to_bytes(&Stamp::default()));
    let partition = PartitionProduceData { index: 0, records: Some(records), ..Default::default() };
    let topic = TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

fn fetch(fetch_offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition =
        FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topic = FetchTopic { topic: Str::from("t"), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

fn with_topic(brokers: i32) -> EmbeddedCluster {
    let cluster = EmbeddedCluster::builder().brokers(brokers).start().unwrap();
    cluster.create_topic("t", 1, i16::try_from(brokers).unwrap()).unwrap();
    cluster
}

fn records(response: &FetchResponse) -> usize {
    response.responses[0].partitions[0].records.as_ref().unwrap().len()
}

#[test]
fn records_go_in_and_come_out() {
    let cluster = with_topic(1);
    let mut client = Client::connect(cluster.addresses()[0]);
    for (size, offset) in [(1, 0), (100, 1), (20_000, 2), (1_000_000, 3)] {
        let response = client.call(9, &produce(&vec![b'x'; size]));
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (ErrorCode::NONE, offset));
    }
    let values: Vec<usize> = cluster
        .records("t", 0)
        .unwrap()
        .unwrap()
        .iter()
        .map(|record| record.value.as_ref().unwrap().len())
        .collect();
    assert_eq!(values, [1, 100, 20_000, 1_000_000]);
    assert!(records(&client.call(12, &fetch(3, 0))) > 1_000_000);
}

#[test]
fn requests_may_arrive_byte_by_byte_or_many_at_once() {
    let cluster = with_topic(1);
    let mut client = Client::connect(cluster.addresses()[0]);
    client.stream.set_nodelay(true).unwrap();
    let frames: Vec<u8> = (0..3).flat_map(|id| frame(id, 9, &produce(b"slow"))).collect();
    for byte in &frames {
        client.stream.write_all(&[*byte]).unwrap();
    }
    let many: Vec<u8> = (3..200).flat_map(|id| frame(id, 9, &produce(b"fast"))).collect();
    client.stream.write_all(&many).unwrap();
    for id in 0..200 {
        let (correlation_id, response) = client.receive::<ProduceRequest>(9);
        let offset = response.responses[0].partition_responses[0].base_offset;
        assert_eq!((correlation_id, offset), (id, i64::from(id)));
    }
}

#[test]
fn a_waiting_fetch_is_woken_by_another_connection() {
    let cluster = with_topic(1);
    let mut consumer = Client::connect(cluster.addresses()[0]);
    consumer.send(1, 12, &fetch(0, 25_000));
    // A request behind the fetch waits with it.
    consumer.send(2, 9, &produce(b"second"));
    let mut producer = Client::connect(cluster.addresses()[0]);
    producer.call(9, &produce(b"first"));
    let (correlation_id, response) = consumer.receive::<FetchRequest>(12);
    assert_eq!((correlation_id, response.responses[0].partitions[0].high_watermark), (1, 1));
    let (correlation_id, response) = consumer.receive::<ProduceRequest>(9);
    assert_eq!((correlation_id, response.responses[0].partition_responses[0].base_offset), (2, 1));
}

#[test]
fn a_waiting_fetch_ends_by_its_time() {
    let cluster = with_topic(1);
    let mut consumer = Client::connect(cluster.addresses()[0]);
    assert_eq!(records(&consumer.call(12, &fetch(0, 20))), 0);
}

#[test]
fn a_slow_reader_gets_everything_and_delays_nobody() {
    let cluster = with_topic(1);
    let mut fast = Client::connect(cluster.addresses()[0]);
    for _ in 0..20 {
        fast.call(9, &produce(&[b'x'; 900_000]));
    }
    let mut slow = Client::connect(cluster.addresses()[0]);
    for id in 0..40 {
        slow.send(id, 12, &fetch(i64::from(id % 20), 0));
    }
    for _ in 0..10 {
        fast.call(9, &produce(b"meanwhile"));
    }
    for id in 0..40 {
        let (correlation_id, response) = slow.receive::<FetchRequest>(12);
        assert_eq!(correlation_id, id);
        assert!(records(&response) > 900_000);
    }
}

#[test]
fn nonsense_closes_the_connection_and_nothing_else() {
    let cluster = with_topic(1);
    for bytes in [
        [0xff; 16].as_slice(),
        &[0x7f, 0xff, 0xff, 0xff, 0],
        &[0, 0, 0, 0],
        &[0, 0, 0, 4, 0, 99, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01],
    ] {
        let mut client = Client::connect(cluster.addresses()[0]);
        client.stream.write_all(bytes).unwrap();
        client.expect_closed();
    }
    let mut half = Client::connect(cluster.addresses()[0]);
    half.stream.write_all(&frame(1, 9, &produce(b"never"))[..50]).unwrap();
    half.stream.shutdown(Shutdown::Write).unwrap();
    half.expect_closed();
    let mut client = Client::connect(cluster.addresses()[0]);
    assert_eq!(client.call(9, &MetadataRequest::default()).brokers.len(), 1);
    assert_eq!(cluster.records("t", 0).unwrap(), Some(vec![]));
}

#[test]
fn a_killed_broker_refuses_and_comes_back_with_its_records() {
    let cluster = with_topic(3);
    let leader = cluster.with(|cluster, _| cluster.partition("t", 0).unwrap().leader.unwrap()).unwrap();
    let address = cluster.addresses()[usize::try_from(leader - 1).unwrap()];
    let mut client = Client::connect(address);
    client.call(9, &produce(b"kept"));
    cluster.kill(leader).unwrap();
    client.expect_closed();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(matches!(cluster.kill(leader), Err(ServeError::Broker(_))));
    let other = cluster.addresses()[usize::try_from(leader % 3).unwrap()];
    let metadata = Client::connect(other).call(9, &MetadataRequest { topics: None, ..Default::default() });
    assert_eq!(metadata.brokers.len(), 2);
    assert_ne!(metadata.topics[0].partitions[0].leader_id, leader);
    cluster.restart(leader).unwrap();
    assert!(matches!(cluster.restart(leader), Err(ServeError::Broker(_))));
    let metadata = Client::connect(address).call(9, &MetadataRequest { topics: None, ..Default::default() });
    assert_eq!(metadata.brokers.len(), 3);
    assert_eq!(metadata.topics[0].partitions[0].isr_nodes.len(), 3);
    assert_eq!(cluster.records("t", 0).unwrap().unwrap().len(), 1);
}

#[test]
fn a_paused_broker_answers_when_it_goes_on() {
    let cluster = with_topic(2);
    let mut before = Client::connect(cluster.addresses()[0]);
    let mut elsewhere = Client::connect(cluster.addresses()[1]);
    cluster.pause(1).unwrap();
    assert!(cluster.pause(9).is_err(), "there is no such broker");
    let question = MetadataRequest { topics: None, ..MetadataRequest::default() };
    before.send(1, 9, &question);
    // The system takes the connection, the broker does not.
    let mut meanwhile = Client::connect(cluster.addresses()[0]);
    meanwhile.send(2, 9, &question);
    elsewhere.call(9, &question);
    before.expect_silence();
    cluster.resume(1).unwrap();
    assert!(cluster.resume(1).is_err(), "it is not paused any more");
    assert_eq!(before.receive::<MetadataRequest>(9).0, 1);
    assert_eq!(meanwhile.receive::<MetadataRequest>(9).0, 2);
}

#[test]
fn advertised_addresses_are_those_to_connect_to() {
    let cluster = EmbeddedCluster::builder().brokers(3).kafka_version("2.8").start().unwrap();
    let metadata = Client::connect(cluster.addresses()[1]).call(9, &MetadataRequest::default());
    let told: Vec<_> =
        metadata.brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port)).collect();
    assert_eq!(told.join(","), cluster.bootstrap());
    let named = EmbeddedCluster::builder().advertised_host("broker.example").start().unwrap();
    assert!(named.bootstrap().starts_with("broker.example:"));
}

#[test]
fn faults_reach_real_clients() {
    let cluster = with_topic(1);
    cluster.inject(&Fault::drop_after().api(ApiKey::PRODUCE)).unwrap();
    let mut client = Client::connect(cluster.addresses()[0]);
    client.send(1, 9, &produce(b"applied"));
    client.expect_closed();
    assert_eq!(cluster.records("t", 0).unwrap().unwrap().len(), 1);
}

#[test]
fn dropping_the_cluster_closes_everything() {
    let cluster = with_topic(2);
    let address = cluster.addresses()[0];
    let mut waiting = Client::connect(address);
    waiting.send(1, 12, &fetch(0, 25_000));
    // The fetch has arrived once a later connection was served.
    Client::connect(address).call(9, &MetadataRequest::default());
    drop(cluster);
    waiting.expect_closed();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn what_cannot_be_started_says_why() {
    let start = |builder: klamm_sim::serve::EmbeddedClusterBuilder| builder.start().unwrap_err();
    let builder = EmbeddedCluster::builder;
    assert!(matches!(start(builder().kafka_version("0.9")), ServeError::Release(_)));
    assert!(matches!(start(builder().brokers(0)), ServeError::Brokers(0)));
    let high = "127.0.0.1:65535".parse().unwrap();
    assert!(matches!(
        start(builder().brokers(2).listen(high)),
        ServeError::Ports { .. } | ServeError::Listen { .. }
    ));
    let running = builder().start().unwrap();
    let taken = running.addresses()[0];
    let error = start(builder().listen(taken));
    assert!(
        matches!(error, ServeError::Listen { broker: 1, .. })
            && error.to_string().contains(&taken.to_string())
    );
    assert!(Release::all().count() > 20);
}
