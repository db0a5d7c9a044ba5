import exchange.core2.collections.objpool.ObjectsPool;
import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.MatcherEventType;
import exchange.core2.core.common.MatcherTradeEvent;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.cmd.OrderCommandType;
import exchange.core2.core.common.config.LoggingConfiguration;
import exchange.core2.core.orderbook.IOrderBook;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import exchange.core2.core.orderbook.OrderBookEventsHelper;
import exchange.core2.core.orderbook.OrderBookNaiveImpl;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.Map;

/**
 * The order books of exchange-core on streams from files: how long a command takes, and what was traded.
 *
 * <p>Prints a line for each book and stream: the book, the stream's name, its trades, their size and digest, and the
 * nanoseconds of processor time of a measured command in every round. {@code book.sh} gives them to {@code book}, which
 * compares and shows them.
 */
final class Books {
    /** Rounds that are not measured: the virtual machine compiles what is often called. */
    private static final int WARM_UP = 10;
    private static final int ROUNDS = 5;
    /** No order may be moved above what it reserved: more than any price of a stream. */
    private static final long RESERVED = 1 << 16;

    private static final CoreSymbolSpecification SYMBOL =
        CoreSymbolSpecification.builder()
            .symbolId(1)
            .type(SymbolType.CURRENCY_EXCHANGE_PAIR)
            .baseCurrency(1)
            .quoteCurrency(2)
            .baseScaleK(1)
            .quoteScaleK(1)
            .build();

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final IOrderBook book;
    /** Filled anew for each command, as the slot of a ring is. */
    private final OrderCommand command = new OrderCommand();

    private Books(IOrderBook book) {
        this.book = book;
    }

    private static Books named(String name) {
        // As many as its matching engine keeps.
        ObjectsPool pool =
            new ObjectsPool(
                Map.of(
                    ObjectsPool.DIRECT_ORDER, 1 << 20,
                    ObjectsPool.DIRECT_BUCKET, 1 << 16,
                    ObjectsPool.ART_NODE_4, 1 << 15,
                    ObjectsPool.ART_NODE_16, 1 << 14,
                    ObjectsPool.ART_NODE_48, 1 << 13,
                    ObjectsPool.ART_NODE_256, 1 << 12));
        // Its own engine keeps no pool of events, either.
        OrderBookEventsHelper events = OrderBookEventsHelper.NON_POOLED_EVENTS_HELPER;
        LoggingConfiguration logging = LoggingConfiguration.DEFAULT;
        return new Books(
            switch (name) {
                case "direct" -> new OrderBookDirectImpl(SYMBOL, pool, events, logging);
                case "naive" -> new OrderBookNaiveImpl(SYMBOL, pool, events, logging);
                default -> throw new IllegalArgumentException("no book is called " + name);
            });
    }

    private void play(Stream stream, int from, int to, Fills fills) {
        for (int at = from; at < to; at++) {
            play(stream, at, fills);
        }
    }

    private void play(Stream stream, int at, Fills fills) {
        OrderCommand command = this.command;
        command.command =
            switch (stream.kinds()[at]) {
                case Stream.ADD -> OrderCommandType.PLACE_ORDER;
                case Stream.CANCEL -> OrderCommandType.CANCEL_ORDER;
                case Stream.REPLACE -> OrderCommandType.MOVE_ORDER;
                default -> throw new IllegalArgumentException("command " + at + " is of no kind");
            };
        command.orderId = stream.orders()[at];
        command.symbol = SYMBOL.symbolId;
        command.price = stream.prices()[at];
        command.size = stream.sizes()[at];
        command.reserveBidPrice = RESERVED;
        command.action = stream.sides()[at] == Stream.BACK ? OrderAction.ASK : OrderAction.BID;
        command.orderType = OrderType.GTC;
        command.uid = command.orderId % 1_000;
        command.timestamp = at;
        command.resultCode = CommandResultCode.VALID_FOR_MATCHING_ENGINE;
        command.matcherEvent = null;
        if (IOrderBook.processCommand(book, command) != CommandResultCode.SUCCESS) {
            throw new IllegalStateException("command " + at + " of a stream was refused: " + command);
        }
        for (MatcherTradeEvent event = command.matcherEvent; event != null; event = event.nextEvent) {
            if (event.eventType == MatcherEventType.TRADE) {
                fills.add(command.orderId, event.matchedOrderId, event.size, event.price);
            }
        }
    }

    public static void main(String[] files) throws Exception {
        String[] names = {"direct", "naive"};
        for (String file : files) {
            Stream stream = Stream.read(Path.of(file));
            double[][] spans = new double[names.length][ROUNDS];
            Fills[] fills = new Fills[names.length];
            for (int round = -WARM_UP; round < ROUNDS; round++) {
                for (int at = 0; at < names.length; at++) {
                    Books books = named(names[at]);
                    fills[at] = new Fills();
                    books.play(stream, 0, stream.first(), fills[at]);
                    long start = THREADS.getCurrentThreadCpuTime();
                    books.play(stream, stream.first(), stream.length(), fills[at]);
                    long took = THREADS.getCurrentThreadCpuTime() - start;
                    if (0 <= round) {
                        spans[at][round] = (double) took / (stream.length() - stream.first());
                    }
                }
            }
            for (int at = 0; at < names.length; at++) {
                StringBuilder line = new StringBuilder();
                line.append(names[at]).append(' ').append(Path.of(file).getFileName());
                line.append(' ').append(fills[at]);
                for (double span : spans[at]) {
                    line.append(' ').append(span);
                }
                System.out.println(line);
            }
        }
    }
}
