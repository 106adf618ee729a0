//! A transaction that hangs: its records are in a partition, and no coordinator knows that they are. Brokers before 3.6 take
//! such records from whoever produces without adding the partition first.

use klamm_engine::Compression;
use klamm_protocol::RecordBytes;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::records::{BatchEncoder, BatchLimits, RecordRef, Stamp};
use klamm_tests::Outcome;
use klamm_tests::client::{ConsumerSettings, Message, ProducerSettings};
use klamm_tests::program::klamm;
use klamm_tests::scenario::Stage;
use klamm_tests::wire::Wire;

/// Versions that all brokers under test have.
const FIND_COORDINATOR: i16 = 3;
const INIT: i16 = 4;
const PRODUCE: i16 = 8;

/// Writes a record in a transaction of which the coordinator is not told; returns its offset.
fn hang(address: &str, id: &str, topic: &str) -> Outcome<i64> {
    let mut wire = Wire::connect(address, "test")?;
    let find = FindCoordinatorRequest { key: id.to_owned().into(), key_type: 1, ..Default::default() };
    let init = InitProducerIdRequest {
        transactional_id: Some(id.to_owned().into()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    // A fresh broker makes the coordinators' topic first.
    let producer = loop {
        if wire.call(FIND_COORDINATOR, &find)?.error_code.is_ok() {
            let answer = wire.call(INIT, &init)?;
            if answer.error_code.is_ok() {
                break answer;
            }
        }
        std::thread::yield_now();
    };
    let mut encoder = BatchEncoder::new(BatchLimits { target_bytes: 1 << 20, max_bytes: 1 << 20 });
    let record = RecordRef { key: None, value: Some(b"hangs"), headers: &[], timestamp: 1_000 };
    encoder.append(&record).map_err(|error| format!("{error:?}"))?;
    let stamp = Stamp::idempotent(producer.producer_id, producer.producer_epoch, 0).transactional();
    let records = encoder.seal(Compression::None).to_bytes(&stamp).to_vec();
    let partition =
        PartitionProduceData { index: 0, records: Some(RecordBytes::from(records)), ..Default::default() };
    let data = TopicProduceData {
        name: topic.to_owned().into(),
        partition_data: vec![partition],
        ..Default::default()
    };
    let request = ProduceRequest {
        transactional_id: Some(id.to_owned().into()),
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![data],
        ..Default::default()
    };
    let mut answer = wire.call(PRODUCE, &request)?;
    let partition = answer.responses.remove(0).partition_responses.remove(0);
    if partition.error_code.is_error() {
        return Err(format!("the broker does not take it: {}", partition.error_code).into());
    }
    Ok(partition.base_offset)
}

/// `klamm txn find-hanging` finds it, `klamm txn abort` ends it, and readers of committed records go on.
pub(crate) fn aborted(stage: &Stage) -> Outcome<()> {
    let version = stage.cluster().spec().version;
    if let Some(kafka) = stage.cluster().real().filter(|_| version == "3.9.1") {
        let set = "transaction.partition.verification.enable=false";
        let arguments = ["--alter", "--entity-type", "brokers", "--entity-default", "--add-config", set];
        kafka.tool("configs", &arguments, b"")?;
    }
    let client = stage.connect()?;
    let (topic, bootstrap) = (stage.topic("t"), stage.cluster().bootstrap());
    stage.cluster().create_topic(&topic, 1)?;
    let producer = client.producer(&ProducerSettings::default())?;
    let message = |value: &str| Message::to(&topic).partition(0).value(value);
    producer.send(&message("before"))?;
    let offset = hang(&bootstrap[0], &stage.topic("id"), &topic)?;
    producer.send(&message("after"))?;

    let run = |arguments: &[&str]| klamm(&[arguments, &["-b", &bootstrap[0]]].concat(), b"", None);
    let find = || -> Outcome<String> {
        Ok(String::from_utf8(run(&["txn", "find-hanging", &topic, "--open-for", "0"])?.succeeded()?)?)
    };
    // Before 3.0 coordinators do not tell what they know.
    let can_find = !version.starts_with("2.");
    if can_find && !find()?.lines().any(|line| line.contains(&topic)) {
        return Err(format!("it is not found: {}", find()?).into());
    }
    let start = offset.to_string();
    let abort = ["txn", "abort", &*topic, "--partition", "0", "--start-offset", &*start];
    let said = String::from_utf8(run(&abort)?.succeeded()?)?;
    if !said.starts_with("aborted") {
        return Err(format!("it was not aborted: {said}").into());
    }
    let settings = ConsumerSettings { read_committed: true, ..ConsumerSettings::default() };
    let mut consumer = client.consumer_with(&settings, &topic, &[0])?;
    let values: Vec<_> = consumer.records(2)?.into_iter().map(|record| record.value).collect();
    if values != [Some(b"before".to_vec()), Some(b"after".to_vec())] {
        return Err(format!("committed: {values:?}").into());
    }
    if can_find && find()?.trim() != "no transaction hangs" {
        return Err("it hangs on".into());
    }
    let again = run(&abort)?;
    if again.code == Some(0) {
        return Err("what is over was aborted once more".into());
    }
    producer.close()
}
