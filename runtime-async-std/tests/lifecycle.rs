//! How clients begin and end under smol and under async-std, on an embedded broker.
#![cfg(all(feature = "smol", feature = "async-std"))]
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{future::poll_fn, pin::pin, task::Poll, thread, time::Duration};

use klamm_async_std::{ConsumeError, Effect, Record, SendError, StartAt, block_on};
use klamm_sim::serve::EmbeddedCluster;

const HOUR: Duration = Duration::from_secs(3600);

fn cluster() -> EmbeddedCluster {
    let cluster = EmbeddedCluster::builder().start().unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    cluster
}

/// The same tests for both runtimes: what runs a future, and whose client it is.
macro_rules! under {
    ($runtime:ident, $block_on:path, $Kafka:path) => {
        mod $runtime {
            use super::*;
            use $Kafka as Kafka;

            #[test]
            fn what_is_sent_is_read_and_a_close_ends_everything() {
                let cluster = cluster();
                $block_on(async {
                    let kafka = Kafka::builder([cluster.bootstrap()]).connect().await.unwrap();
                    let producer = kafka.producer().linger_ms(0).build().unwrap();
                    let written = producer.send(Record::to("t").partition(1).value("v")).await.unwrap();
                    assert_eq!((written.partition, written.offset), (1, Some(0)));
                    let consumer = kafka.consumer().assign([("t", 1, StartAt::Earliest)]).build().unwrap();
                    let batch = consumer.next_batch().await.unwrap();
                    assert!(batch.records().map(|record| record.value).eq([Some(&b"v"[..])]));
                    kafka.close().await;
                    assert!(matches!(producer.send(Record::to("t")).await, Err(SendError::Closed)));
                    assert!(matches!(
                        consumer.next().await,
                        Err(ConsumeError::Closed | ConsumeError::Stopped)
                    ));
                });
            }

            #[test]
            fn dropping_every_handle_delivers_what_was_sent() {
                let cluster = cluster();
                $block_on(async {
                    let kafka = Kafka::builder([cluster.bootstrap()]).connect().await.unwrap();
                    let builder = kafka.producer().linger(HOUR).delivery_timeout(2 * HOUR);
                    let producer = builder.build().unwrap();
                    let mut receipts = Vec::new();
                    for _ in 0..100 {
                        receipts.push(producer.enqueue(Record::to("t").partition(0)).await.unwrap());
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
            fn handles_go_in_any_order_on_any_thread() {
                let cluster = cluster();
                for order in 0..6 {
                    let (kafka, producer, consumer) = $block_on(async {
                        let kafka = Kafka::builder([cluster.bootstrap()]).connect().await.unwrap();
                        let producer = kafka.producer().build().unwrap();
                        let consumer = kafka.consumer().assign([("t", 0, StartAt::Latest)]).build().unwrap();
                        (kafka, producer, consumer)
                    });
                    let mut handles: Vec<Box<dyn std::any::Any + Send>> =
                        vec![Box::new(kafka), Box::new(producer), Box::new(consumer)];
                    handles.rotate_left(order % 3);
                    if order > 2 {
                        handles.swap(0, 1);
                    }
                    // Neither within a task of the runtime nor on one of its threads.
                    thread::spawn(move || handles.into_iter().for_each(drop)).join().unwrap();
                }
            }

            #[test]
            fn a_wait_that_is_given_up_loses_no_record() {
                let cluster = cluster();
                $block_on(async {
                    let kafka = Kafka::builder([cluster.bootstrap()]).connect().await.unwrap();
                    let consumer = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
                    let producer = kafka.producer().linger_ms(0).build().unwrap();
                    let mut read = 0;
                    for _ in 0..20 {
                        {
                            let mut waiting = pin!(consumer.next_batch());
                            if let Poll::Ready(batch) =
                                poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await
                            {
                                read += batch.unwrap().records().count();
                            }
                        }
                        producer.send(Record::to("t").partition(0).value("v")).await.unwrap();
                    }
                    while read < 20 {
                        read += consumer.next_batch().await.unwrap().records().count();
                    }
                    assert_eq!(read, 20);
                });
            }

            #[test]
            fn waits_need_no_thread_of_the_runtime() {
                let cluster = cluster();
                // The engine's own executor: the client is driven by the runtime's global one.
                let kafka = block_on(Kafka::builder([cluster.bootstrap()]).connect()).unwrap();
                let producer = kafka.producer().build().unwrap();
                block_on(producer.send(Record::to("t").value("v"))).unwrap();
                cluster.kill(1).unwrap();
                let lost = block_on(producer.enqueue(Record::to("t").value("v"))).unwrap();
                let undelivered = block_on(producer.close_within(Duration::from_millis(100))).unwrap_err();
                assert_eq!(undelivered.records, 1);
                assert!(block_on(lost).unwrap_err().effect() != Effect::Done);
                block_on(kafka.close());
            }
        }
    };
}

under!(smol, ::smol::block_on, klamm_async_std::smol::Kafka);
under!(async_std, ::async_std::task::block_on, klamm_async_std::async_std::Kafka);
