import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** Makes groups at random, always the same ones, and writes what Kafka's own assignors make of them. */
public class Assignors {
    private static final int CASES = 120;
    private static final int BROKERS = 6;
    private static final int GENERATION = 3;

    private record Member(String id, String instance, String rack, List<String> topics, List<TopicPartition> owned) {}

    public static void main(String[] arguments) {
        StringBuilder out = new StringBuilder("[\n");
        Random random = new Random(429);
        for (int at = 0; at < CASES; at++) {
            out.append(oneCase(random)).append(at + 1 < CASES ? ",\n" : "\n");
        }
        System.out.print(out.append("]\n"));
    }

    private static String oneCase(Random random) {
        boolean racks = random.nextInt(2) == 0;
        Node[] nodes = new Node[BROKERS];
        for (int broker = 0; broker < BROKERS; broker++) {
            nodes[broker] = new Node(broker, "b", 1, racks ? "r" + broker % 3 : null);
        }
        Map<String, List<PartitionInfo>> topics = new TreeMap<>();
        int topicCount = 1 + random.nextInt(5);
        for (int topic = 0; topic < topicCount; topic++) {
            List<PartitionInfo> partitions = new ArrayList<>();
            int count = 1 + random.nextInt(8);
            for (int partition = 0; partition < count; partition++) {
                int first = random.nextInt(BROKERS);
                Node[] replicas = {nodes[first], nodes[(first + 1) % BROKERS], nodes[(first + 2) % BROKERS]};
                partitions.add(new PartitionInfo("t" + topic, partition, replicas[0], replicas, replicas));
            }
            topics.put("t" + topic, partitions);
        }
        List<Member> members = members(random, racks, topics);
        return "{\"racks\":" + racks
            + ",\"topics\":" + object(topics.entrySet().stream().map(each -> quoted(each.getKey()) + ":" + replicas(each.getValue())).toList())
            + ",\"members\":" + list(members.stream().map(Assignors::json).toList())
            + ",\n \"range\":" + assigned(new RangeAssignor(), topics, members)
            + ",\"roundrobin\":" + assigned(new RoundRobinAssignor(), topics, members)
            + ",\"sticky\":" + assigned(new StickyAssignor(), topics, members) + "}";
    }

    private static List<Member> members(Random random, boolean racks, Map<String, List<PartitionInfo>> topics) {
        int count = 1 + random.nextInt(7);
        boolean uniform = random.nextInt(2) == 0;
        List<Member> members = new ArrayList<>();
        for (int member = 0; member < count; member++) {
            boolean all = uniform;
            List<String> wanted = topics.keySet().stream().filter(topic -> all || random.nextInt(3) > 0).toList();
            String instance = random.nextInt(5) == 0 ? "i" + random.nextInt(10) + member : null;
            String rack = racks && random.nextInt(6) > 0 ? "r" + random.nextInt(4) : null;
            members.add(new Member("m" + random.nextInt(10) + "-" + member, instance, rack, wanted, new ArrayList<>()));
        }
        // Most of what there is belonged to one of them before, some of it to one that does not want it any more.
        topics.forEach((topic, partitions) -> partitions.forEach(partition -> {
            if (random.nextInt(4) > 0) {
                Member owner = members.get(Math.min(random.nextInt(count), random.nextInt(count)));
                owner.owned().add(new TopicPartition(topic, partition.partition()));
            }
        }));
        return members;
    }

    private static String assigned(AbstractPartitionAssignor assignor, Map<String, List<PartitionInfo>> topics, List<Member> members) {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (Member member : members) {
            StickyAssignor said = new StickyAssignor();
            said.onAssignment(new Assignment(member.owned()), new ConsumerGroupMetadata("g", GENERATION, member.id(), Optional.empty()));
            ByteBuffer data = said.subscriptionUserData(new java.util.HashSet<>(member.topics()));
            Subscription subscription =
                new Subscription(member.topics(), data, List.of(), GENERATION, Optional.ofNullable(member.rack()));
            subscription.setGroupInstanceId(Optional.ofNullable(member.instance()));
            subscriptions.put(member.id(), subscription);
        }
        Map<String, List<TopicPartition>> assigned = new TreeMap<>(assignor.assignPartitions(new HashMap<>(topics), subscriptions));
        return object(assigned.entrySet().stream().map(each -> quoted(each.getKey()) + ":" + partitions(each.getValue())).toList());
    }

    private static String json(Member member) {
        return "{\"id\":" + quoted(member.id()) + ",\"instance\":" + quoted(member.instance()) + ",\"rack\":" + quoted(member.rack())
            + ",\"topics\":" + list(member.topics().stream().map(Assignors::quoted).toList())
            + ",\"owned\":" + partitions(member.owned()) + "}";
    }

    private static String replicas(List<PartitionInfo> partitions) {
        return list(partitions.stream().map(partition -> {
            List<String> brokers = new ArrayList<>();
            for (Node replica : partition.replicas()) {
                brokers.add(replica.idString());
            }
            return list(brokers);
        }).toList());
    }

    private static String partitions(List<TopicPartition> partitions) {
        return list(partitions.stream()
            .sorted((one, other) -> one.topic().equals(other.topic())
                ? Integer.compare(one.partition(), other.partition())
                : one.topic().compareTo(other.topic()))
            .map(each -> quoted(each.topic() + "-" + each.partition()))
            .toList());
    }

    private static String quoted(String text) {
        return text == null ? "null" : '"' + text + '"';
    }

    private static String list(List<String> items) {
        return items.stream().collect(Collectors.joining(",", "[", "]"));
    }

    private static String object(List<String> items) {
        return items.stream().collect(Collectors.joining(",", "{", "}"));
    }
}
