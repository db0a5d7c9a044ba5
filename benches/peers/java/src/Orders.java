import exchange.core2.core.ExchangeApi;
import exchange.core2.core.ExchangeCore;
import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.MatcherEventType;
import exchange.core2.core.common.MatcherTradeEvent;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.api.ApiAddUser;
import exchange.core2.core.common.api.ApiAdjustUserBalance;
import exchange.core2.core.common.api.ApiCommand;
import exchange.core2.core.common.api.binary.BatchAddSymbolsCommand;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.cmd.OrderCommandType;
import exchange.core2.core.common.config.ExchangeConfiguration;
import exchange.core2.core.common.config.InitialStateConfiguration;
import exchange.core2.core.common.config.PerformanceConfiguration;
import exchange.core2.core.common.config.SerializationConfiguration;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import exchange.core2.core.processors.journaling.DiskSerializationProcessor;
import exchange.core2.core.processors.journaling.DiskSerializationProcessorConfiguration;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * All of exchange-core on streams from files, each called by how many of its commands may wait for their answer at once:
 * risk, matching and results, without a journal and with one on disk.
 *
 * <p>Prints a line for each round: {@code off} or {@code on}, the stream's name, its trades, their size and digest, and in
 * nanoseconds what the measured commands took, and the median and the 99th percentile of how long one waited.
 * {@code durable.sh} gives them to {@code durable}, which compares and shows them.
 */
final class Orders implements AutoCloseable {
    private static final int ROUNDS = 3;
    private static final int SYMBOL = 1;
    private static final int BASE = 1;
    private static final int QUOTE = 2;
    private static final int ACCOUNTS = 1_000;
    /** No order may be moved above what it reserved: more than any price of a stream. */
    private static final long RESERVED = 1 << 10;
    /** Of each currency: more than all orders of an account can want. */
    private static final long FUNDS = 1L << 50;

    private final ExchangeCore core;
    private final ExchangeApi api;
    private final Semaphore free;
    /** When a command was asked, then how long it waited for its answer. */
    private final long[] waits;
    private final Fills fills = new Fills();
    private int answered;
    private volatile String refused;

    private Orders(Path journal, int commands, int atOnce) throws Exception {
        waits = new long[commands];
        free = new Semaphore(atOnce);
        core =
            ExchangeCore.builder()
                .resultsConsumer(this::answer)
                .exchangeConfiguration(
                    ExchangeConfiguration.defaultBuilder()
                        .initStateCfg(InitialStateConfiguration.cleanStartJournaling("orders"))
                        .performanceCfg(
                            PerformanceConfiguration.baseBuilder()
                                .orderBookFactory(OrderBookDirectImpl::new)
                                .build())
                        .serializationCfg(
                            journal == null ? SerializationConfiguration.DEFAULT : onDisk(journal))
                        .build())
                .build();
        core.startup();
        api = core.getApi();
        List<ApiCommand> accounts = new ArrayList<>();
        for (long uid = 1; uid <= ACCOUNTS; uid++) {
            accounts.add(ApiAddUser.builder().uid(uid).build());
            for (int currency : new int[] {BASE, QUOTE}) {
                accounts.add(
                    ApiAdjustUserBalance.builder()
                        .uid(uid)
                        .currency(currency)
                        .amount(FUNDS)
                        .transactionId(currency)
                        .build());
            }
        }
        api.submitCommandsSync(accounts);
        CoreSymbolSpecification symbol =
            CoreSymbolSpecification.builder()
                .symbolId(SYMBOL)
                .type(SymbolType.CURRENCY_EXCHANGE_PAIR)
                .baseCurrency(BASE)
                .quoteCurrency(QUOTE)
                .baseScaleK(1)
                .quoteScaleK(1)
                .build();
        CommandResultCode added =
            api.submitBinaryDataAsync(new BatchAddSymbolsCommand(symbol)).get();
        if (added != CommandResultCode.SUCCESS) {
            throw new IllegalStateException("the market was not added: " + added);
        }
    }

    /** As it comes, into this directory: every batch is written through to the disk. */
    private static SerializationConfiguration onDisk(Path directory) {
        DiskSerializationProcessorConfiguration asItComes =
            DiskSerializationProcessorConfiguration.createDefaultConfig();
        DiskSerializationProcessorConfiguration disk =
            DiskSerializationProcessorConfiguration.builder()
                .storageFolder(directory.toString())
                .snapshotLz4CompressorFactory(asItComes.getSnapshotLz4CompressorFactory())
                .journalFileMaxSize(asItComes.getJournalFileMaxSize())
                .journalBufferSize(asItComes.getJournalBufferSize())
                .journalBatchCompressThreshold(asItComes.getJournalBatchCompressThreshold())
                .journalLz4CompressorFactory(asItComes.getJournalLz4CompressorFactory())
                .build();
        return SerializationConfiguration.builder()
            .enableJournaling(true)
            .serializationProcessorFactory(all -> new DiskSerializationProcessor(all, disk))
            .build();
    }

    /** On the thread of results, in the order of commands. */
    private void answer(OrderCommand command, long sequence) {
        if (command.command != OrderCommandType.PLACE_ORDER
            && command.command != OrderCommandType.MOVE_ORDER
            && command.command != OrderCommandType.CANCEL_ORDER) {
            return;
        }
        if (command.resultCode != CommandResultCode.SUCCESS && refused == null) {
            refused = "command " + answered + " of a stream was refused: " + command;
        }
        for (MatcherTradeEvent event = command.matcherEvent; event != null; event = event.nextEvent) {
            if (event.eventType == MatcherEventType.TRADE) {
                fills.add(command.orderId, event.matchedOrderId, event.size, event.price);
            }
        }
        waits[answered] = System.nanoTime() - waits[answered];
        answered++;
        free.release();
    }

    private void ask(Stream stream, int at) throws InterruptedException {
        free.acquire();
        long order = stream.orders()[at];
        long uid = 1 + order % ACCOUNTS;
        long price = stream.prices()[at];
        waits[at] = System.nanoTime();
        switch (stream.kinds()[at]) {
            case Stream.ADD -> api.placeNewOrder(
                0, 0, at, order, 0, price, RESERVED, stream.sizes()[at],
                stream.sides()[at] == Stream.BACK ? OrderAction.ASK : OrderAction.BID,
                OrderType.GTC, SYMBOL, uid);
            case Stream.CANCEL -> api.cancelOrder(0, 0, at, order, SYMBOL, uid);
            case Stream.REPLACE -> api.moveOrder(0, 0, at, price, order, SYMBOL, uid);
            default -> throw new IllegalArgumentException("command " + at + " is of no kind");
        }
    }

    /** Asks these, and waits for all of their answers. */
    private void play(Stream stream, int from, int to, int atOnce) throws InterruptedException {
        for (int at = from; at < to; at++) {
            ask(stream, at);
        }
        // An answer that does not come at all: its log would say why, and is not kept.
        if (!free.tryAcquire(atOnce, 10, TimeUnit.MINUTES)) {
            throw new IllegalStateException("there was no answer for ten minutes");
        }
        free.release(atOnce);
        if (refused != null) {
            throw new IllegalStateException(refused);
        }
    }

    @Override
    public void close() {
        core.shutdown();
    }

    private static void delete(Path directory) throws IOException {
        try (var all = Files.walk(directory)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    /** One round, as a line. */
    private static String round(Path work, Path file, boolean durable) throws Exception {
        String name = file.getFileName().toString();
        int atOnce = Integer.parseInt(name);
        Stream stream = Stream.read(file);
        Path journal = Files.createTempDirectory(work, "journal");
        try (Orders orders = new Orders(durable ? journal : null, stream.length(), atOnce)) {
            orders.play(stream, 0, stream.first(), atOnce);
            long start = System.nanoTime();
            orders.play(stream, stream.first(), stream.length(), atOnce);
            long took = System.nanoTime() - start;
            long[] waits = Arrays.copyOfRange(orders.waits, stream.first(), stream.length());
            Arrays.sort(waits);
            String how = durable ? "on" : "off";
            return "%s %s %s %d %d %d".formatted(
                how, name, orders.fills, took, waits[waits.length / 2], waits[waits.length * 99 / 100]);
        } finally {
            delete(journal);
        }
    }

    public static void main(String[] args) throws Exception {
        Path work = Path.of(args[0]);
        List<Path> files = Arrays.stream(args, 1, args.length).map(Path::of).toList();
        // Once all that is measured, so that the virtual machine has compiled it.
        for (Path file : files) {
            round(work, file, false);
            round(work, file, true);
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (Path file : files) {
                System.out.println(round(work, file, false));
                System.out.println(round(work, file, true));
            }
        }
    }
}
