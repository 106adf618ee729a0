//! The data plane without a cluster: slots, cells, receipts and the cache of topics.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use klamm_core::{
    Effect, Entropy, Instant, PartitionIndex, ProducerHandle,
    producer::{
        Acknowledged, BatchId, Outcome, Portion, ProduceError, ProduceErrorKind, ProducerConfig, Seal,
        SealResult, Signal, partitioner::Partitioner,
    },
};
use klamm_protocol::{
    ErrorCode, Str,
    compression::{Compression, Compressor},
    records::{Batches, ReadOptions, Scratch, Stamp},
};

use super::{
    Pool, SendError,
    cell::{BatchCell, Part, Receipt},
    memory::Grant,
    pool::{NotPlaced, PoolConfig},
    slot::Slot,
    topics::{Spread, TopicEntry},
};
use crate::{
    Record, block_on,
    signals::{Feed, Signals},
};

fn own(memory: usize) -> PoolConfig {
    PoolConfig {
        partitioner: Partitioner::JAVA,
        custom: None,
        adaptive: true,
        rack: None,
        level: None,
        memory,
        records: None,
        max_block: Duration::from_secs(60),
        default_topic: Str::from(""),
    }
}

/// A producer of the topic `t` with so many partitions, which have the indices from 0.
fn pool(partitions: u32, memory: usize, config: ProducerConfig) -> Pool {
    let pool = Pool::new(Feed::new(ProducerHandle(0), Arc::default()), config, own(memory), Entropy::new(1));
    pool.put_topic("t", partitions);
    pool
}

impl Pool {
    fn put_topic(&self, name: &'static str, partitions: u32) {
        let feed = self.feed();
        let slots = (0..partitions).map(|partition| {
            let number = i32::try_from(partition).unwrap();
            Arc::new(Slot::new(
                Str::from(name),
                number,
                PartitionIndex(partition),
                &self.config,
                feed.clone(),
                Arc::clone(&self.ledger),
            ))
        });
        let slots: Vec<_> = slots.collect();
        self.put_slots(&slots);
        let spread = Spread::shared(slots.len(), Entropy::new(2));
        self.topics.put(TopicEntry { name: Str::from(name), slots, spread });
    }
}

fn place(pool: &Pool, record: &Record<'_>) -> (Receipt, i32, Signal) {
    match pool.place(record.topic(), record, 1_000, &mut Grant::default()) {
        Ok(accepted) => {
            let partition = accepted.receipt.partition();
            (accepted.receipt, partition, accepted.signal)
        }
        Err(NotPlaced::Refused(error)) => panic!("{error}"),
        Err(NotPlaced::Room(missing)) => panic!("{missing:?} is missing"),
        Err(NotPlaced::Topic) => panic!("the topic is not there"),
    }
}

fn acknowledged(partition: u32, batch: u64, base_offset: i64) -> Outcome {
    let result = Ok(Acknowledged { base_offset: Some(base_offset), log_append_time_ms: None });
    Outcome { partition: PartitionIndex(partition), batch: BatchId(batch), portion: Portion::Whole, result }
}

fn poll(receipt: &mut Receipt, waker: &Waker) -> Poll<Result<crate::RecordMetadata, SendError>> {
    Pin::new(receipt).poll(&mut Context::from_waker(waker))
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn records_of_a_batch_share_its_outcome_and_have_their_own_offsets() {
    let pool = pool(1, 1 << 20, ProducerConfig::default());
    let record = Record::to("t").key("k").value("v").header("a", "b").null_header("c");
    let (first, _, signal) = place(&pool, &record);
    assert_eq!(signal, Signal::Opened);
    let (second, _, signal) = place(&pool, &record.clone().timestamp(5));
    assert_eq!(signal, Signal::Quiet);
    assert!(first.try_get().is_none());
    let mut wakers = Vec::new();
    pool.settle(&acknowledged(0, 0, 40), None, &mut wakers);
    assert!(wakers.is_empty(), "nobody waited");
    assert_eq!(first.try_get().unwrap().unwrap().offset, Some(40));
    let second = block_on(second).unwrap();
    assert_eq!((second.offset, second.partition, &*second.topic), (Some(41), 0, "t"));
}

#[test]
fn waiting_receipts_are_woken_once_and_dropped_ones_not_at_all() {
    let pool = pool(1, 1 << 20, ProducerConfig::default());
    let record = Record::to("t").value("v");
    let (mut first, ..) = place(&pool, &record);
    let (mut second, ..) = place(&pool, &record);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    for _ in 0..3 {
        assert!(poll(&mut first, &waker).is_pending());
        assert!(poll(&mut second, &waker).is_pending());
    }
    drop(second);
    let mut wakers = Vec::new();
    pool.settle(&acknowledged(0, 0, 7), None, &mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(poll(&mut first, &waker).is_ready());
}

#[test]
fn a_split_batch_gives_each_record_the_outcome_of_its_part() {
    let cell = Arc::new(BatchCell::new(Str::from("t"), 3));
    let part = |first, base_offset| Part {
        first,
        result: Ok(Acknowledged { base_offset: Some(base_offset), log_append_time_ms: Some(9) }),
    };
    cell.complete(vec![part(0, 100), part(4, 200)], &mut Vec::new());
    let offset = |index| Receipt::new(Arc::clone(&cell), index, 0).try_get().unwrap().unwrap().offset;
    assert_eq!([0, 3, 4, 6].map(offset), [Some(100), Some(103), Some(200), Some(202)]);
}

#[test]
fn the_memory_is_charged_until_the_outcome_and_then_free() {
    let pool = pool(2, 1 << 20, ProducerConfig::default());
    let value = vec![7; 1000];
    for partition in [0, 1, 0, 1] {
        let _receipt = place(&pool, &Record::to("t").value(&value).partition(partition));
    }
    let taken = pool.memory.bytes.taken();
    assert!((4_000..4_000 + 2 * 4096 + 1000).contains(&taken), "{taken}");
    let partitions = vec![PartitionIndex(0), PartitionIndex(1)];
    let seal = Seal {
        broker: klamm_core::BrokerId(1),
        partitions,
        max_bytes: 1 << 20,
        compression: Compression::None,
    };
    let sealed = pool.seal(&seal, &mut Compressor::new(Compression::None), &Arc::default());
    assert!(sealed.iter().all(|sealed| matches!(sealed.result, SealResult::Sealed { .. })));
    let in_flight = pool.memory.bytes.taken();
    assert!(in_flight < 4_300, "the credit of empty partitions is back: {in_flight}");
    for partition in [0, 1] {
        pool.settle(&acknowledged(partition, 0, 0), None, &mut Vec::new());
    }
    assert_eq!(pool.memory.bytes.taken(), 0);
}

#[test]
fn a_compressed_batch_is_charged_what_it_takes() {
    let pool = pool(1, 1 << 20, ProducerConfig { batch_size: 1 << 19, ..ProducerConfig::default() });
    let _receipt = place(&pool, &Record::to("t").value(vec![0; 100_000]));
    assert!(pool.memory.bytes.taken() > 100_000);
    let partitions = vec![PartitionIndex(0)];
    let seal = Seal {
        broker: klamm_core::BrokerId(1),
        partitions,
        max_bytes: 1 << 20,
        compression: Compression::Lz4,
    };
    let sealed = pool.seal(&seal, &mut Compressor::new(Compression::Lz4), &Arc::default());
    assert!(pool.memory.bytes.taken() < 2_000, "{}", pool.memory.bytes.taken());
    let SealResult::Sealed { sealed, .. } = &sealed[0].result else { panic!() };
    let bytes = sealed.to_bytes(&Stamp::default());
    let batch = Batches::new(&bytes).next().unwrap().unwrap();
    let mut scratch = Scratch::new();
    let values = batch
        .open(&mut scratch, &ReadOptions::default())
        .unwrap()
        .map(|record| record.unwrap().value.unwrap().len());
    assert_eq!(values.collect::<Vec<_>>(), [100_000]);
    pool.settle(&acknowledged(0, 0, 0), None, &mut Vec::new());
    assert_eq!(pool.memory.bytes.taken(), 0);
}

#[test]
fn without_room_a_record_is_not_accepted_and_nothing_is_held() {
    let pool = pool(1, 2_000, ProducerConfig { batch_size: 1_000, ..ProducerConfig::default() });
    let value = [0; 900];
    let _receipt = place(&pool, &Record::to("t").value(&value));
    let Err(NotPlaced::Room(missing)) =
        pool.place("t", &Record::to("t").value(vec![0; 1_500]), 0, &mut Grant::default())
    else {
        panic!("accepted")
    };
    assert!(missing.bytes > 500, "{missing:?}");
    pool.settle(&acknowledged(0, 0, 0), None, &mut Vec::new());
    pool.discard(PartitionIndex(0), BatchId(0), &mut Vec::new());
    assert_eq!(pool.memory.bytes.taken(), 0);
}

#[test]
fn keys_decide_on_the_partition_as_in_java_and_names_that_are_none_are_refused() {
    let pool = pool(6, 1 << 20, ProducerConfig::default());
    let (_, first, ..) = place(&pool, &Record::to("t").key("customer-7"));
    for _ in 0..20 {
        assert_eq!(place(&pool, &Record::to("t").key("customer-7")).1, first);
    }
    assert_eq!(place(&pool, &Record::to("t").key("x").partition(5)).1, 5);
    for partition in [-1, 6] {
        let refused = pool.place("t", &Record::to("t").partition(partition), 0, &mut Grant::default());
        let Err(NotPlaced::Refused(error)) = refused else { panic!() };
        assert_eq!(error.effect(), Effect::None);
        assert!(error.to_string().contains(&format!("no partition {partition}: it has 6")), "{error}");
    }
    assert!(matches!(
        pool.place("unknown", &Record::to("unknown"), 0, &mut Grant::default()),
        Err(NotPlaced::Topic)
    ));
}

#[test]
fn threads_see_a_topic_change_at_their_next_record() {
    let pool = pool(1, 1 << 20, ProducerConfig::default());
    let _receipt = place(&pool, &Record::to("t").partition(0));
    pool.put_topic("t", 3);
    let _receipt = place(&pool, &Record::to("t").partition(2));
    let other = Pool::new(
        Feed::new(ProducerHandle(1), Arc::default()),
        ProducerConfig::default(),
        own(1 << 20),
        Entropy::new(1),
    );
    assert!(
        matches!(other.place("t", &Record::to("t"), 0, &mut Grant::default()), Err(NotPlaced::Topic)),
        "another producer's topics"
    );
}

#[test]
fn the_end_completes_every_receipt_and_frees_all_memory() {
    let pool = pool(2, 1 << 20, ProducerConfig::default());
    let receipts: Vec<_> =
        (0..2).map(|partition| place(&pool, &Record::to("t").partition(partition)).0).collect();
    pool.stop(&mut Vec::new());
    for receipt in receipts {
        assert_eq!(block_on(receipt).unwrap_err().effect(), Effect::Unknown);
    }
    let lost = pool.ledger.begin().end().unwrap_err();
    assert_eq!(
        (pool.memory.bytes.taken(), lost.records, lost.maybe_written, lost.partitions.len()),
        (0, 2, 2, 2)
    );
    let refused = pool.place("t", &Record::to("t"), 0, &mut Grant::default());
    assert!(matches!(refused, Err(NotPlaced::Refused(SendError::Closed))));
    block_on(pool.until_closed());
}

/// Senders append from several threads while one thread takes, seals and acknowledges; every record has one offset.
#[test]
fn concurrent_senders_lose_no_outcome() {
    const SENDERS: usize = 4;
    const RECORDS: usize = 2_000;
    let pool = Arc::new(pool(1, 64 << 10, ProducerConfig { batch_size: 512, ..ProducerConfig::default() }));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                let mut receipts = Vec::new();
                let record = Record::to("t").value("some value").partition(0);
                while receipts.len() < RECORDS {
                    let mut granted = Grant::default();
                    match pool.place("t", &record, 0, &mut granted) {
                        Ok(placed) => receipts.push(placed.receipt),
                        Err(NotPlaced::Room(missing)) => {
                            let wait = pool.memory.bytes.take(missing.bytes, Instant::MAX);
                            block_on(wait).unwrap();
                            pool.memory.bytes.give_back(missing.bytes);
                        }
                        Err(_) => panic!("refused"),
                    }
                }
                receipts
                    .into_iter()
                    .map(|receipt| block_on(receipt).unwrap().offset.unwrap())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let acknowledger = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || {
            let partitions = vec![PartitionIndex(0)];
            let seal = Seal {
                broker: klamm_core::BrokerId(1),
                partitions,
                max_bytes: 1 << 20,
                compression: Compression::None,
            };
            let (mut compressor, route) = (Compressor::new(Compression::None), Arc::default());
            let mut next_offset = 0;
            while next_offset < i64::try_from(SENDERS * RECORDS).unwrap() {
                match &pool.seal(&seal, &mut compressor, &route)[0].result {
                    SealResult::Sealed { batch, sealed } => {
                        let mut wakers = Vec::new();
                        pool.settle(&acknowledged(0, batch.0, next_offset), None, &mut wakers);
                        next_offset += i64::from(sealed.count());
                        wakers.into_iter().for_each(Waker::wake);
                    }
                    _ => thread::yield_now(),
                }
            }
        })
    };
    let mut offsets: Vec<_> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    acknowledger.join().unwrap();
    offsets.sort_unstable();
    assert!(offsets.iter().copied().eq(0..i64::try_from(SENDERS * RECORDS).unwrap()));
    assert_eq!(pool.memory.bytes.taken(), 0);
}

#[test]
fn who_waits_for_room_holds_none_so_that_nobody_waits_for_him() {
    let pool = pool(1, 8192, ProducerConfig::default());
    assert!(pool.memory.bytes.try_take(5100), "others hold most of it");
    // 100 of them were granted for this record, and do not suffice.
    let mut granted = Grant { bytes: 100, records: 0 };
    let record = Record::to("t").value(vec![7; 4000]);
    let Err(NotPlaced::Room(needed)) = pool.place("t", &record, 1_000, &mut granted) else {
        panic!("there was no room");
    };
    assert_eq!(granted.bytes, 100, "an empty partition keeps nothing");
    pool.memory.bytes.give_back(granted.bytes + 5000);
    assert_eq!(pool.memory.bytes.taken(), 0);
    // What is said to be needed suffices, whatever others do meanwhile.
    assert!(pool.memory.bytes.try_take(needed.bytes));
    let others = pool.memory.bytes.total() - needed.bytes;
    assert!(pool.memory.bytes.try_take(others));
    let mut granted = needed;
    assert!(pool.place("t", &record, 1_000, &mut granted).is_ok());
    assert_eq!(granted, Grant::default());
}

#[test]
fn a_record_that_is_refused_leaves_nothing_of_the_budget_behind() {
    let config = ProducerConfig { max_request_size: 4096, ..ProducerConfig::default() };
    let pool = pool(1, 1 << 20, config);
    let mut granted = Grant::default();
    let record = Record::to("t").value(vec![7; 8000]);
    assert!(matches!(pool.place("t", &record, 1_000, &mut granted), Err(NotPlaced::Refused(_))));
    pool.memory.give_back(&mut granted);
    assert_eq!(pool.memory.bytes.taken(), 0);
}

#[test]
fn who_has_placed_a_record_knows_that_its_batch_is_told_of() {
    for _ in 0..500 {
        let signals = Arc::new(Signals::default());
        let feed = Feed::new(ProducerHandle(0), Arc::clone(&signals));
        let config = ProducerConfig::default();
        let pool = Pool::new(feed, config, own(1 << 20), Entropy::new(1));
        pool.put_topic("t", 1);
        let (barrier, told) = (Barrier::new(2), Mutex::new(0));
        let send = || {
            barrier.wait();
            let _receipt = place(&pool, &Record::to("t").value("v"));
            let mut told = told.lock().unwrap();
            *told += signals.take().len();
            assert_eq!(*told, 1, "a flush that follows would miss the record");
        };
        thread::scope(|scope| {
            scope.spawn(send);
            scope.spawn(send);
        });
    }
}

#[test]
fn a_batch_that_comes_in_parts_is_done_with_its_last_part() {
    let pool = pool(1, 1 << 20, ProducerConfig::default());
    let record = Record::to("t").value("v");
    let (first, ..) = place(&pool, &record);
    let (second, ..) = place(&pool, &record);
    let part = |first, last, base_offset| {
        let portion = Portion::Part { first, count: 1, last };
        Outcome { portion, ..acknowledged(0, 0, base_offset) }
    };
    let mut wakers = Vec::new();
    pool.settle(&part(0, false, 40), None, &mut wakers);
    assert!(first.try_get().is_none(), "the batch is not done");
    pool.settle(&part(1, true, 90), None, &mut wakers);
    assert_eq!(first.try_get().unwrap().unwrap().offset, Some(40));
    assert_eq!(second.try_get().unwrap().unwrap().offset, Some(90));
}

#[test]
fn records_of_a_refused_batch_learn_each_for_itself_why() {
    let pool = pool(1, 1 << 20, ProducerConfig::default());
    let record = Record::to("t").value("v");
    let (first, ..) = place(&pool, &record);
    let (second, ..) = place(&pool, &record);
    let part = |first, last, kind| {
        let error = ProduceError::new(kind, Effect::None, ErrorCode::INVALID_RECORD);
        Outcome {
            portion: Portion::Part { first, count: 1, last },
            result: Err(error),
            ..acknowledged(0, 0, 0)
        }
    };
    let mut wakers = Vec::new();
    let words = |words: &str| Some(String::from(words));
    pool.settle(&part(0, false, ProduceErrorKind::BesideInvalidRecord), None, &mut wakers);
    pool.settle(&part(1, true, ProduceErrorKind::InvalidRecord), words("it has no key"), &mut wakers);
    let error = first.try_get().unwrap().unwrap_err();
    assert!(error.is_retriable(), "{error}");
    let error = second.try_get().unwrap().unwrap_err();
    assert!(!error.is_retriable() && error.to_string().contains("it has no key"), "{error}");
}

fn refused(partition: u32, batch: u64, effect: Effect) -> Outcome {
    let error = ProduceError::new(ProduceErrorKind::Refused, effect, ErrorCode::INVALID_RECORD);
    Outcome { result: Err(error), ..acknowledged(partition, batch, 0) }
}

#[test]
fn a_report_tells_of_what_was_accepted_before_it_and_not_told_of() {
    let pool = pool(2, 1 << 20, ProducerConfig::default());
    let record = |partition| Record::to("t").value("v").partition(partition);
    let take = |partition| {
        let seal = Seal {
            broker: klamm_core::BrokerId(1),
            partitions: vec![PartitionIndex(partition)],
            max_bytes: 1 << 20,
            compression: Compression::None,
        };
        pool.seal(&seal, &mut Compressor::new(Compression::None), &Arc::default());
    };
    let _receipts = [place(&pool, &record(0)), place(&pool, &record(0)), place(&pool, &record(1))];
    take(0);
    take(1);
    let first = pool.ledger.begin();
    let abandoned = pool.ledger.begin();
    let _later = place(&pool, &record(1));
    pool.settle(&refused(0, 0, Effect::Unknown), None, &mut Vec::new());
    pool.settle(&acknowledged(1, 0, 0), None, &mut Vec::new());
    drop(abandoned);
    take(1);
    pool.settle(&refused(1, 1, Effect::None), None, &mut Vec::new());
    let lost = first.end().unwrap_err();
    assert_eq!((lost.records, lost.maybe_written, lost.partitions.len()), (2, 2, 1), "{lost}");
    assert_eq!((&*lost.partitions[0].topic, lost.partitions[0].partition), ("t", 0));
    assert!(lost.to_string().starts_with("2 records of 1 partitions"), "{lost}");
    let lost = pool.ledger.begin().end().unwrap_err();
    assert_eq!((lost.records, lost.maybe_written, lost.partitions[0].partition), (1, 0, 1), "{lost}");
    assert!(pool.ledger.begin().end().is_ok(), "all was told of");
}

#[test]
fn flushes_under_way_together_tell_of_the_same_losses() {
    let pool = pool(1, 1 << 20, ProducerConfig::default());
    let _receipt = place(&pool, &Record::to("t").value("v"));
    let (first, second) = (pool.ledger.begin(), pool.ledger.begin());
    pool.settle(&refused(0, 0, Effect::None), None, &mut Vec::new());
    assert_eq!(first.end().unwrap_err().records, 1);
    assert_eq!(second.end().unwrap_err().records, 1);
    assert!(pool.ledger.begin().end().is_ok());
}

#[test]
fn the_number_of_records_is_bounded_if_that_was_asked_for() {
    let feed = Feed::new(ProducerHandle(0), Arc::default());
    let own = PoolConfig { records: Some(2), ..own(1 << 20) };
    let pool = Pool::new(feed, ProducerConfig::default(), own, Entropy::new(1));
    pool.put_topic("t", 1);
    let record = Record::to("t").value("v");
    let _receipts = [place(&pool, &record), place(&pool, &record)];
    let mut granted = Grant::default();
    let Err(NotPlaced::Room(needed)) = pool.place("t", &record, 0, &mut granted) else {
        panic!("accepted a third")
    };
    assert_eq!((needed.records, granted.records), (1, 0));
    pool.settle(&acknowledged(0, 0, 0), None, &mut Vec::new());
    assert!(pool.memory.try_take(needed, &mut granted));
    assert!(pool.place("t", &record, 0, &mut granted).is_ok());
    assert_eq!(granted, Grant::default());
    pool.stop(&mut Vec::new());
    let records = pool.memory.records.as_ref().unwrap();
    assert_eq!((records.taken(), pool.memory.bytes.taken()), (0, 0));
}
