//! How clients begin and end, on an embedded broker.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use klamm_sim::serve::EmbeddedCluster;
use klamm_tokio::{
    CloseReason, ConnectError, ConsumeError, Effect, Kafka, Record, SendError, StartAt, block_on,
};
use tokio::runtime::{Builder, Runtime};

const HOUR: Duration = Duration::from_secs(3600);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn cluster() -> EmbeddedCluster {
    let cluster = EmbeddedCluster::builder().start().unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    cluster
}

async fn connect(cluster: &EmbeddedCluster) -> Kafka {
    Kafka::builder([cluster.bootstrap()]).connect().await.unwrap()
}

#[test]
fn a_runtime_of_one_thread_is_enough() {
    let cluster = cluster();
    runtime().block_on(async {
        let kafka = connect(&cluster).await;
        let producer = kafka.producer().linger_ms(0).build().unwrap();
        let written =
            producer.send(Record::to("t").partition(1).key("k").value("v").header("h", "x")).await.unwrap();
        assert_eq!((written.partition, written.offset), (1, Some(0)));
        let consumer = kafka.consumer().assign([("t", 1, StartAt::Earliest)]).build().unwrap();
        let batch = consumer.next_batch().await.unwrap();
        let records: Vec<_> =
            batch.records().map(|record| (record.offset, record.key, record.value)).collect();
        assert_eq!(records, [(0, Some(&b"k"[..]), Some(&b"v"[..]))]);
        kafka.close().await;
        assert!(matches!(producer.send(Record::to("t")).await, Err(SendError::Closed)));
        assert!(matches!(consumer.next().await, Err(ConsumeError::Closed | ConsumeError::Stopped)));
    });
}

#[test]
fn the_end_of_the_runtime_ends_every_wait() {
    let cluster = cluster();
    let runtime = runtime();
    let (kafka, producer, receipt, consumer) = runtime.block_on(async {
        let kafka = connect(&cluster).await;
        let producer = kafka.producer().linger(HOUR).delivery_timeout(2 * HOUR).build().unwrap();
        let receipt = producer.enqueue(Record::to("t").value("v")).await.unwrap();
        let consumer = kafka.consumer().assign([("t", 0, StartAt::Latest)]).build().unwrap();
        (kafka, producer, receipt, consumer)
    });
    let waiting = thread::spawn(move || block_on(async { (receipt.await, consumer.next().await.map(drop)) }));
    drop(runtime);
    let (outcome, end) = waiting.join().unwrap();
    assert_eq!(outcome.unwrap_err().effect(), Effect::Unknown);
    assert!(matches!(end, Err(ConsumeError::Stopped)), "{end:?}");
    // The close does not wait, and tells once more of the record that failed: whoever dropped its receipt hears of it here.
    let undelivered = block_on(producer.close()).unwrap_err();
    assert_eq!((undelivered.records, undelivered.maybe_written), (1, 1));
    assert!(matches!(producer.try_send(Record::to("t")), Err(error) if !error.is_retriable()));
    assert!(block_on(kafka.admin().list_topics()).is_err());
    block_on(kafka.close());
}

#[test]
fn no_task_outlives_the_close_and_handles_go_in_any_order() {
    let cluster = cluster();
    let runtime = runtime();
    for order in 0..6 {
        let handles = runtime.block_on(async {
            let kafka = connect(&cluster).await;
            let producer = kafka.producer().linger_ms(0).build().unwrap();
            producer.send(Record::to("t").partition(0).value("v")).await.unwrap();
            let consumer = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
            consumer.next_batch().await.unwrap();
            if order == 0 {
                kafka.close().await;
            }
            let mut handles: Vec<Box<dyn std::any::Any + Send>> =
                vec![Box::new(kafka), Box::new(producer), Box::new(consumer)];
            handles.rotate_left(order % 3);
            if order > 2 {
                handles.swap(0, 1);
            }
            handles
        });
        // Outside the runtime and on another thread.
        thread::spawn(move || handles.into_iter().for_each(drop)).join().unwrap();
        runtime.block_on(async {
            let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
            for _ in 0..100_000 {
                if alive() == 0 {
                    break;
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(alive(), 0, "tasks are left");
        });
    }
}

#[test]
fn dropping_every_handle_delivers_what_was_sent() {
    let cluster = cluster();
    runtime().block_on(async {
        let kafka = connect(&cluster).await;
        let producer = kafka.producer().linger(HOUR).delivery_timeout(2 * HOUR).build().unwrap();
        let mut receipts = Vec::new();
        for number in 0..100 {
            let value = format!("{number}");
            receipts.push(producer.enqueue(Record::to("t").partition(0).value(value)).await.unwrap());
        }
        drop(producer);
        drop(kafka);
        for (receipt, number) in receipts.into_iter().zip(0..) {
            assert_eq!(receipt.await.unwrap().offset, Some(number));
        }
    });
    assert_eq!(cluster.records("t", 0).unwrap().unwrap().len(), 100);
}

#[test]
fn what_cannot_be_delivered_is_told_at_the_close() {
    let cluster = cluster();
    runtime().block_on(async {
        let kafka = connect(&cluster).await;
        let producer = kafka.producer().linger(HOUR).delivery_timeout(2 * HOUR).build().unwrap();
        producer.prepare("t").await.unwrap();
        cluster.kill(1).unwrap();
        for _ in 0..10 {
            drop(producer.enqueue(Record::to("t").value("v")).await.unwrap());
        }
        let undelivered = producer.close_within(Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(undelivered.records, 10);
        assert_eq!((undelivered.maybe_written, undelivered.partitions.len()), (0, 1));
        assert_eq!(producer.memory_in_use(), 0);
    });
}

#[test]
fn a_wait_that_is_given_up_loses_no_record() {
    let cluster = cluster();
    runtime().block_on(async {
        let kafka = connect(&cluster).await;
        let consumer = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
        let producer = kafka.producer().linger_ms(0).build().unwrap();
        let mut next = 0;
        for round in 0..20 {
            // A wait that is polled and dropped before anything is there, or just when it comes.
            tokio::select! {
                biased;
                batch = consumer.next_batch() => next += batch.unwrap().records().count(),
                sent = producer.send(Record::to("t").partition(0).value(format!("{round}"))) => drop(sent.unwrap()),
            }
        }
        producer.flush().await.unwrap();
        let written = cluster.records("t", 0).unwrap().unwrap().len();
        while next < written {
            next += consumer.next_batch().await.unwrap().records().count();
        }
        assert_eq!(next, written);
    });
}

#[test]
fn the_memory_of_a_producer_is_a_promise() {
    const MEMORY: usize = 64 << 10;
    let cluster = cluster();
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(async {
        let kafka = connect(&cluster).await;
        let producer =
            kafka.producer().buffer_memory(MEMORY).linger(HOUR).delivery_timeout(2 * HOUR).build().unwrap();
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let producer = producer.clone();
                tokio::spawn(async move {
                    let value = vec![7; 1000];
                    for number in 0..250 {
                        drop(
                            producer
                                .enqueue(Record::to("t").partition(number % 2).value(&value))
                                .await
                                .unwrap(),
                        );
                        assert!(producer.memory_in_use() <= MEMORY);
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        producer.close().await.unwrap();
        assert_eq!(producer.memory_in_use(), 0);
    });
    let written: usize =
        (0..2).map(|partition| cluster.records("t", partition).unwrap().unwrap().len()).sum();
    assert_eq!(written, 1000);
}

#[test]
fn a_web_server_is_told_from_a_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 16];
            // Whatever it is, it is no HTTP request.
            if stream.read(&mut request).is_ok() {
                drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
            }
        }
    });
    let error = runtime().block_on(Kafka::builder([&address]).connect_timeout(HOUR).connect()).unwrap_err();
    assert!(matches!(error.failures()[0].reason, CloseReason::NotKafka(_)), "{error}");
    assert!(error.to_string().contains(&format!("{address}: the port speaks HTTP, not Kafka")), "{error}");
}

#[test]
fn without_a_runtime_there_is_no_client() {
    let error = block_on(Kafka::builder(["localhost:1"]).connect()).unwrap_err();
    assert!(matches!(error, ConnectError::Runtime(_)), "{error}");
}
