/** Reports a batch as schemas/generated/asyncapi.yaml describes it: java -cp 'JARS/*' Example.java BROKERS BATCH FILE... */
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.StringSerializer;

class Example {
    static final ObjectMapper JSON = new ObjectMapper();
    static KafkaProducer<String, String> producer;
    static String source, topic;
    static long batch;

    public static void main(String[] arguments) throws Exception {
        var registry = System.getenv().getOrDefault("HEADWAY_REGISTRY_TOPIC", "headway-batches");
        batch = Long.parseLong(arguments[1]);
        topic = System.getenv().getOrDefault("HEADWAY_TOPIC_PREFIX", "headway-batch-") + batch;
        source = "/" + InetAddress.getLocalHost().getHostName() + "/" + ProcessHandle.current().pid();
        create(arguments[0], registry, 64, Map.of("cleanup.policy", "compact", "compression.type", "producer"));
        create(arguments[0], topic, 1, Map.of("cleanup.policy", "delete", "compression.type", "producer",
            "retention.ms", "1209600000", "max.message.bytes", "1048588", "message.timestamp.type", "CreateTime",
            "message.timestamp.after.max.ms", "9223372036854775807"));
        producer = new KafkaProducer<>(Map.of("bootstrap.servers", arguments[0], "enable.idempotence", true, "acks", "all",
            "max.in.flight.requests.per.connection", 1, "compression.type", "lz4"), new StringSerializer(), new StringSerializer());
        send(new ProducerRecord<>(registry, "" + batch,
            JSON.writeValueAsString(Map.of("batchId", batch, "topic", topic, "createdAt", Instant.now().toString()))));

        var files = Arrays.asList(arguments).subList(2, arguments.length);
        report("stage_start", "copy", Map.of("totalFiles", files.size()));
        int failed = 0;
        for (var file : files) {
            try {
                process(file);
                report("file_complete", "copy", Map.of("fileName", file, "response", Map.of("status", "success")));
            } catch (Exception error) {
                failed++;
                report("file_error", "copy", Map.of("fileName", file, "response",
                    Map.of("status", "error", "type", error.getClass().getName(), "message", "" + error.getMessage())));
            }
        }
        report("stage_complete", "copy", Map.of("processedFiles", files.size() - failed, "failedFiles", failed));
        report("batch_complete", null, Map.of());
        producer.close(); // waits until Kafka has everything
    }

    static void report(String type, String stage, Map<String, Object> details) throws Exception {
        var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        var event = new LinkedHashMap<String, Object>(Map.of("eventType", type, "batchId", batch, "timestamp", now.toString()));
        if (stage != null) event.put("stage", stage);
        event.putAll(details);
        var record = new ProducerRecord<>(topic, null, now.toEpochMilli(), stage, JSON.writeValueAsString(event));
        Map.of("ce_specversion", "1.0", "ce_id", UUID.randomUUID().toString(), "ce_source", source, "ce_type", "headway." + type,
            "ce_time", now.toString(), "content-type", "application/json")
            .forEach((name, value) -> record.headers().add(name, value.getBytes(StandardCharsets.UTF_8)));
        send(record);
    }

    static void send(ProducerRecord<String, String> record) {
        producer.send(record, (sent, error) -> { if (error != null) System.err.println("Not reported: " + error); });
    }

    static void create(String brokers, String name, int partitions, Map<String, String> configuration) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
            var replicas = (short) Math.min(3, admin.describeCluster().nodes().get().size());
            admin.createTopics(List.of(new NewTopic(name, partitions, replicas).configs(configuration))).all().get();
        } catch (ExecutionException error) {
            if (!(error.getCause() instanceof TopicExistsException)) throw error;
        }
    }

    static void process(String file) {
        if (file.startsWith("broken")) throw new IllegalArgumentException("cannot read " + file);
    }
}
