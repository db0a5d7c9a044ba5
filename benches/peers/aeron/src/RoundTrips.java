import io.aeron.Aeron;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.archive.Archive;
import io.aeron.archive.ArchiveThreadingMode;
import io.aeron.archive.ArchivingMediaDriver;
import io.aeron.archive.client.AeronArchive;
import io.aeron.archive.codecs.SourceLocation;
import io.aeron.archive.status.RecordingPos;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.FragmentHandler;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.YieldingIdleStrategy;
import org.agrona.concurrent.status.CountersReader;

/**
 * How long a message of 128 bytes takes to an agent and back over shared memory, when the agent answers once Aeron's archive has
 * recorded it: into the page cache, and synced.
 *
 * <p>Prints a table. One message is on its way at a time; driver, archive, agent and client give way while they wait.
 */
final class RoundTrips {
    private static final int BYTES = 128;
    private static final int WARM_UP = 2_000;
    private static final int MESSAGES = 5_000;
    private static final String CHANNEL = "aeron:ipc";
    private static final String CONTROL = "aeron:ipc";
    private static final int ASKED = 1;
    private static final int ANSWERED = 2;
    private static final long PATIENCE_NS = TimeUnit.MINUTES.toNanos(5);

    private final Aeron aeron;
    private volatile boolean over;
    private volatile Throwable fault;

    private RoundTrips(Aeron aeron) {
        this.aeron = aeron;
    }

    /** The agent: answers each message with its first eight bytes when it is recorded. */
    private void answer(Subscription asked, Publication answers, CountersReader counters, int recorded) {
        YieldingIdleStrategy idle = new YieldingIdleStrategy();
        UnsafeBuffer out = new UnsafeBuffer(new byte[BYTES]);
        FragmentHandler one =
            (buffer, offset, length, header) -> {
                out.putBytes(0, buffer, offset, length);
                while (counters.getCounterValue(recorded) < header.position() && !over) {
                    idle.idle();
                }
                while (answers.offer(out, 0, length) < 0 && !over) {
                    idle.idle();
                }
            };
        try {
            while (!over) {
                idle.idle(asked.poll(one, 1));
            }
        } catch (RuntimeException why) {
            fault = why;
        }
    }

    private void wait(YieldingIdleStrategy idle, long since, String what) {
        if (fault != null) {
            throw new IllegalStateException("the agent ended", fault);
        }
        if (PATIENCE_NS < System.nanoTime() - since) {
            throw new IllegalStateException(what + " for five minutes");
        }
        idle.idle();
    }

    private long[] measure(AeronArchive archive) throws InterruptedException {
        YieldingIdleStrategy idle = new YieldingIdleStrategy();
        long begun = System.nanoTime();
        archive.startRecording(CHANNEL, ASKED, SourceLocation.LOCAL);
        try (Publication asks = aeron.addExclusivePublication(CHANNEL, ASKED);
            Subscription asked = aeron.addSubscription(CHANNEL, ASKED);
            Publication answers = aeron.addExclusivePublication(CHANNEL, ANSWERED);
            Subscription answered = aeron.addSubscription(CHANNEL, ANSWERED)) {
            CountersReader counters = aeron.countersReader();
            int recorded = CountersReader.NULL_COUNTER_ID;
            while (recorded == CountersReader.NULL_COUNTER_ID || !asked.isConnected() || !answered.isConnected()) {
                wait(idle, begun, "nothing was recorded");
                recorded =
                    RecordingPos.findCounterIdBySession(counters, asks.sessionId(), archive.archiveId());
            }
            int position = recorded;
            Thread agent = new Thread(() -> answer(asked, answers, counters, position), "agent");
            agent.start();
            try {
                return trips(asks, answered, idle);
            } finally {
                over = true;
                agent.join();
            }
        }
    }

    private long[] trips(Publication asks, Subscription answered, YieldingIdleStrategy idle) {
        UnsafeBuffer out = new UnsafeBuffer(new byte[BYTES]);
        long[] heard = {-1};
        FragmentHandler one = (buffer, offset, length, header) -> heard[0] = buffer.getLong(offset);
        long[] spans = new long[MESSAGES];
        for (int at = -WARM_UP; at < MESSAGES; at++) {
            long number = at + WARM_UP;
            out.putLong(0, number);
            long start = System.nanoTime();
            while (asks.offer(out, 0, BYTES) < 0) {
                wait(idle, start, "a message was not taken");
            }
            while (answered.poll(one, 1) == 0) {
                wait(idle, start, "there was no answer");
            }
            long took = System.nanoTime() - start;
            if (heard[0] != number) {
                throw new IllegalStateException("message " + number + " was answered as " + heard[0]);
            }
            if (0 <= at) {
                spans[at] = took;
            }
        }
        return spans;
    }

    private static long[] spans(Path work, int syncLevel) throws InterruptedException {
        String directory = work.resolve("driver-" + syncLevel).toString();
        MediaDriver.Context driver =
            new MediaDriver.Context()
                .aeronDirectoryName(directory)
                .dirDeleteOnStart(true)
                .dirDeleteOnShutdown(true)
                .threadingMode(ThreadingMode.SHARED)
                .sharedIdleStrategy(new YieldingIdleStrategy());
        Archive.Context recorder =
            new Archive.Context()
                .aeronDirectoryName(directory)
                .archiveDir(work.resolve("archive-" + syncLevel).toFile())
                .deleteArchiveOnStart(true)
                .controlChannelEnabled(false)
                .archiveClientContext(new AeronArchive.Context().controlResponseChannel(CONTROL))
                .localControlChannel(CONTROL)
                .recordingEventsEnabled(false)
                .replicationChannel("aeron:udp?endpoint=localhost:0")
                .threadingMode(ArchiveThreadingMode.SHARED)
                .idleStrategySupplier(YieldingIdleStrategy::new)
                .fileSyncLevel(syncLevel)
                .catalogFileSyncLevel(syncLevel);
        try (ArchivingMediaDriver launched = ArchivingMediaDriver.launch(driver, recorder);
            Aeron aeron = Aeron.connect(new Aeron.Context().aeronDirectoryName(directory));
            AeronArchive archive =
                AeronArchive.connect(
                    new AeronArchive.Context()
                        .aeron(aeron)
                        .controlRequestChannel(CONTROL)
                        .controlRequestStreamId(launched.archive().context().localControlStreamId())
                        .controlResponseChannel(CONTROL))) {
            long[] spans = new RoundTrips(aeron).measure(archive);
            Arrays.sort(spans);
            return spans;
        }
    }

    public static void main(String[] args) throws Exception {
        System.out.println("| Aeron's archive records | p50 | p99 |");
        System.out.println("|---|---|---|");
        String[] names = {"into the page cache", "synced (fileSyncLevel 1)"};
        for (int level = 0; level < names.length; level++) {
            long[] spans = spans(Path.of(args[0]), level);
            System.out.printf(
                "| %s | %.1f us | %.1f us |%n",
                names[level], spans[MESSAGES / 2] / 1e3, spans[MESSAGES * 99 / 100] / 1e3);
        }
    }
}
