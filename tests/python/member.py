"""A member of a group, of librdkafka: prints the values that it reads, until nothing comes for a while.

member.py BOOTSTRAP GROUP TOPIC PROTOCOL STRATEGY IDLE_S: PROTOCOL is classic or consumer, STRATEGY that of the former.
"""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException


def main(bootstrap, group, topic, protocol, strategy, idle_s):
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
    }
    if protocol == "classic":
        settings["partition.assignment.strategy"] = strategy
        settings["session.timeout.ms"] = 6000
        settings["heartbeat.interval.ms"] = 500
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    last = time.monotonic()
    while time.monotonic() - last < float(idle_s):
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error() is None:
            print(message.value().decode(), flush=True)
            last = time.monotonic()
        # A topic that has just been made is not known everywhere.
        elif message.error().code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(message.error())
    consumer.close()


main(*sys.argv[1:])
