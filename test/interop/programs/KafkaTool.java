import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Topics and records of a Kafka cluster, by Java's clients. Argument: a broker. Each line of its standard input is a command with blanks between its words; each is
 * answered by a line, `ok` and what was asked for, or `error` and why. Ends with its standard input.
 */
public class KafkaTool {
  final Map<String, Object> settings;
  final Admin admin;
  final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
  final Map<String, Member> members = new HashMap<>();

  KafkaTool(String broker) {
    settings = Map.of("bootstrap.servers", broker);
    admin = Admin.create(settings);
  }

  public static void main(String[] args) throws Exception {
    var tool = new KafkaTool(args[0]);
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      try {
        System.out.println("ok " + tool.run(line.split(" ", -1)));
      } catch (Exception error) {
        System.out.println("error " + String.valueOf(error).replace('\n', ' '));
      }
    }
    System.exit(0);
  }

  String run(String[] words) throws Exception {
    String topic = words[1];
    switch (words[0]) {
      case "create": {
        var configs = new HashMap<String, String>();
        for (int at = 3; at < words.length; at += 1) configs.put(words[at].split("=")[0], words[at].split("=")[1]);
        admin.createTopics(List.of(new NewTopic(topic, Integer.parseInt(words[2]), (short) 1).configs(configs))).all().get();
        return "";
      }
      case "delete":
        admin.deleteTopics(List.of(topic)).all().get();
        return "";
      case "partitions":
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(Integer.parseInt(words[2])))).all().get();
        return "";
      case "delete-records": {
        var before = RecordsToDelete.beforeOffset(Long.parseLong(words[3]));
        admin.deleteRecords(Map.of(partition(words), before)).all().get();
        return "";
      }
      case "config": {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var change = new AlterConfigOp(new ConfigEntry(words[2], words[3]), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
        return "";
      }
      // start TOPIC PARTITION: the first offset of the log
      case "start":
        return "" + admin.listOffsets(Map.of(partition(words), OffsetSpec.earliest())).partitionResult(partition(words)).get().offset();
      // end TOPIC PARTITION: the end of what is committed
      case "end": {
        var committed = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
        return "" + admin.listOffsets(Map.of(partition(words), OffsetSpec.latest()), committed).partitionResult(partition(words)).get().offset();
      }
      // send TOPIC PARTITION FROM TO COMPRESSION PADDING
      case "send":
        send(producer(words[5], null), partition(words), Long.parseLong(words[3]), Long.parseLong(words[4]), Integer.parseInt(words[6]));
        return "";
      // lines TOPIC PARTITION FILE: a record of each line
      case "lines": {
        var all = new HashMap<String, Object>(settings);
        all.put("linger.ms", 50);
        all.put("batch.size", 200_000);
        try (var producer = new KafkaProducer<byte[], byte[]>(all, new ByteArraySerializer(), new ByteArraySerializer());
            var from = Files.lines(Path.of(words[3]))) {
          from.forEach(line ->
              producer.send(new ProducerRecord<>(topic, Integer.parseInt(words[2]), null, line.getBytes(StandardCharsets.UTF_8))));
        }
        return "";
      }
      // value TOPIC PARTITION BASE64 or value TOPIC PARTITION null
      case "value": {
        byte[] value = words[3].equals("null") ? null : Base64.getDecoder().decode(words[3]);
        producer("none", null).send(new ProducerRecord<>(topic, Integer.parseInt(words[2]), null, value)).get();
        return "";
      }
      // transaction TOPIC PARTITION FROM TO commit|abort|open PRODUCER
      case "transaction": {
        boolean isNew = !producers.containsKey("none " + words[6]);
        var producer = producer("none", words[6]);
        if (isNew) producer.initTransactions();
        producer.beginTransaction();
        send(producer, partition(words), Long.parseLong(words[3]), Long.parseLong(words[4]), 0);
        if (words[5].equals("commit")) producer.commitTransaction();
        if (words[5].equals("abort")) producer.abortTransaction();
        return "";
      }
      // finish TOPIC commit|abort PRODUCER
      case "finish": {
        var producer = producer("none", words[3]);
        if (words[2].equals("commit")) producer.commitTransaction();
        else producer.abortTransaction();
        return "";
      }
      // group TOPIC GROUP: its committed offsets
      case "group": {
        var found = new TreeMap<Integer, Long>();
        admin.listConsumerGroupOffsets(words[2]).partitionsToOffsetAndMetadata().get().forEach((key, offset) -> {
          if (offset != null && key.topic().equals(topic)) found.put(key.partition(), offset.offset());
        });
        return found.toString();
      }
      // reset TOPIC GROUP PARTITION OFFSET: of a group without members
      case "reset": {
        var offset = new OffsetAndMetadata(Long.parseLong(words[4]));
        admin.alterConsumerGroupOffsets(words[2], Map.of(new TopicPartition(topic, Integer.parseInt(words[3])), offset)).all().get();
        return "";
      }
      // forget TOPIC GROUP: all offsets of a group without members, of all topics
      case "forget":
        admin.deleteConsumerGroups(List.of(words[2])).all().get();
        return "";
      // join TOPIC GROUP MEMBER classic|consumer reads|commits: waits until the member has its partitions, reads on and commits or does not
      case "join": {
        var member = new Member(settings, topic, words[2], words[4], words[5].equals("commits"));
        members.put(words[3], member);
        member.start();
        member.assigned.await();
        return "";
      }
      // read TOPIC MEMBER: how many records it has read so far
      case "read":
        return "" + members.get(words[2]).read;
      // leave TOPIC MEMBER
      case "leave": {
        var member = members.remove(words[2]);
        member.leaves = true;
        member.join();
        return "";
      }
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  static TopicPartition partition(String[] words) {
    return new TopicPartition(words[1], Integer.parseInt(words[2]));
  }

  KafkaProducer<byte[], byte[]> producer(String compression, String transactions) {
    return producers.computeIfAbsent(compression + " " + transactions, key -> {
      var all = new HashMap<String, Object>(settings);
      all.put("compression.type", compression);
      // Several batches for each command.
      all.put("batch.size", 1000);
      all.put("linger.ms", 1);
      if (transactions != null) all.put("transactional.id", transactions);
      return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
    });
  }

  /** Records with ids from `from` up to `end`, their devices longer by so many characters. */
  static void send(KafkaProducer<byte[], byte[]> producer, TopicPartition to, long from, long end, int padding) throws Exception {
    var sent = new ArrayList<Future<?>>();
    for (long id = from; id < end; id += 1) {
      String device = "d\u00e9-" + id % 5 + "x".repeat(padding);
      byte[] value = ("{\"id\":" + id + ",\"device\":\"" + device + "\"}").getBytes(StandardCharsets.UTF_8);
      sent.add(producer.send(new ProducerRecord<>(to.topic(), to.partition(), null, value)));
    }
    producer.flush();
    for (var one : sent) one.get();
  }

  /** A consumer that takes part in a group. */
  static class Member extends Thread {
    final KafkaConsumer<byte[], byte[]> consumer;
    final boolean commits;
    final CountDownLatch assigned = new CountDownLatch(1);
    volatile long read = 0;
    volatile boolean leaves = false;

    Member(Map<String, Object> settings, String topic, String group, String protocol, boolean commits) {
      var all = new HashMap<String, Object>(settings);
      all.put("group.id", group);
      all.put("group.protocol", protocol);
      all.put("auto.offset.reset", "earliest");
      all.put("enable.auto.commit", false);
      this.commits = commits;
      consumer = new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
          assigned.countDown();
        }
      });
    }

    @Override
    public void run() {
      try (consumer) {
        while (!leaves) {
          read += consumer.poll(Duration.ofMillis(100)).count();
          if (commits) consumer.commitSync();
        }
      }
    }
  }
}
