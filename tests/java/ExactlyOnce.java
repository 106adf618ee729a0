import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A member of a group that copies a topic exactly once, as Kafka's documentation has it, until it is killed.
 * Arguments: bootstrap, group, group.protocol, transactional.id, source, target.
 */
public class ExactlyOnce {
    public static void main(String[] args) {
        Properties common = new Properties();
        common.put("bootstrap.servers", args[0]);
        Properties reading = new Properties();
        reading.putAll(common);
        reading.put("group.id", args[1]);
        reading.put("group.protocol", args[2]);
        if (args[2].equals("classic")) {
            reading.put("session.timeout.ms", "6000");
            reading.put("heartbeat.interval.ms", "500");
        }
        reading.put("isolation.level", "read_committed");
        reading.put("enable.auto.commit", "false");
        reading.put("auto.offset.reset", "earliest");
        reading.put("max.poll.records", "200");
        Properties writing = new Properties();
        writing.putAll(common);
        writing.put("transactional.id", args[3]);
        writing.put("transaction.timeout.ms", "10000");
        try (var consumer = new KafkaConsumer<>(reading, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                var producer = new KafkaProducer<>(writing, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(args[4]));
            while (true) copy(consumer, producer, args[5]);
        }
    }

    static final Map<TopicPartition, Long> COURSE = new HashMap<>();

    /** Tells where it begins, and where it goes back: of use where a record comes twice. */
    static void follow(ConsumerRecords<byte[], byte[]> records) {
        for (TopicPartition partition : records.partitions()) {
            var own = records.records(partition);
            long from = own.get(0).offset();
            Long before = COURSE.put(partition, own.get(own.size() - 1).offset() + 1);
            if (before == null || from < before) {
                System.err.println(System.currentTimeMillis() + ": " + partition + " from " + from + " after " + before);
            }
        }
    }

    static void copy(KafkaConsumer<byte[], byte[]> consumer, KafkaProducer<byte[], byte[]> producer, String target) {
        var records = consumer.poll(Duration.ofSeconds(1));
        if (records.isEmpty()) return;
        follow(records);
        try {
            producer.beginTransaction();
            for (ConsumerRecord<byte[], byte[]> r : records) {
                producer.send(new ProducerRecord<>(target, r.partition(), r.key(), r.value()));
            }
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            for (TopicPartition partition : records.partitions()) {
                var own = records.records(partition);
                var last = own.get(own.size() - 1);
                // Without the epoch whoever goes on there could not tell whether the log was truncated since.
                offsets.put(partition, new OffsetAndMetadata(last.offset() + 1, last.leaderEpoch(), ""));
            }
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            producer.commitTransaction();
        } catch (ProducerFencedException e) {
            throw e;
        } catch (KafkaException e) {
            producer.abortTransaction();
            var committed = consumer.committed(consumer.assignment());
            for (TopicPartition partition : consumer.assignment()) {
                OffsetAndMetadata offset = committed.get(partition);
                if (offset == null) consumer.seekToBeginning(List.of(partition));
                else consumer.seek(partition, offset);
            }
        }
    }
}
