import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

/**
 * Reads lines of a message's name, a version and the message as JSON, and answers each with the bytes that Kafka's own
 * classes make of it and with the JSON that they read from these bytes; with "-" where they lack the version.
 */
public class Messages {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        ObjectMapper mapper = new ObjectMapper();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split("\t", 3);
            out.println(answer(mapper, parts[0], Short.parseShort(parts[1]), parts[2]));
        }
        out.flush();
    }

    private static String answer(ObjectMapper mapper, String name, short version, String json) {
        try {
            String className = "org.apache.kafka.common.message." + name + "Data";
            Class<?> type;
            try {
                type = Class.forName(className);
            } catch (ClassNotFoundException e) {
                return "-";
            }
            Message prototype = (Message) type.getConstructor().newInstance();
            if (version < prototype.lowestSupportedVersion() || version > prototype.highestSupportedVersion()) {
                return "-";
            }
            Class<?> converter = Class.forName(className + "JsonConverter");
            Message message = (Message) converter.getMethod("read", JsonNode.class, short.class)
                .invoke(null, mapper.readTree(json), version);
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(bytes), cache, version);
            if (bytes.hasRemaining()) {
                return "fewer bytes written than counted";
            }
            bytes.flip();
            StringBuilder hex = new StringBuilder();
            for (byte each : bytes.array()) {
                hex.append(Character.forDigit((each >> 4) & 15, 16)).append(Character.forDigit(each & 15, 16));
            }
            Object read = type.getConstructor(Readable.class, short.class)
                .newInstance(new ByteBufferAccessor(bytes), version);
            Object back = converter.getMethod("write", type, short.class, boolean.class)
                .invoke(null, read, version, true);
            return hex + "\t" + mapper.writeValueAsString(back);
        } catch (Throwable e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            return cause.toString().replace('\n', ' ').replace('\t', ' ');
        }
    }
}
