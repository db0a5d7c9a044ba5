import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** A stream of orders from a file, as {@code Stream::write} of {@code src/stream.rs} draws it. */
record Stream(int first, byte[] kinds, byte[] sides, int[] prices, int[] orders, int[] sizes) {
    static final int ADD = 0;
    static final int CANCEL = 1;
    static final int REPLACE = 2;
    /** The other side is a lay, which buys. */
    static final int BACK = 0;

    private static final int HEADER_BYTES = 8;
    private static final int COMMAND_BYTES = 12;

    static Stream read(Path path) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.remaining() < HEADER_BYTES) {
            throw new IOException(path + ": " + bytes.remaining() + " bytes are no stream; write it again");
        }
        int first = bytes.getInt();
        int then = bytes.getInt();
        if (first < 0 || then < 0 || bytes.remaining() != ((long) first + then) * COMMAND_BYTES) {
            throw new IOException(path + ": its header does not say how long it is; write it again");
        }
        int all = first + then;
        Stream stream =
            new Stream(first, new byte[all], new byte[all], new int[all], new int[all], new int[all]);
        for (int at = 0; at < all; at++) {
            stream.kinds[at] = bytes.get();
            stream.sides[at] = bytes.get();
            stream.prices[at] = Short.toUnsignedInt(bytes.getShort());
            stream.orders[at] = bytes.getInt();
            stream.sizes[at] = bytes.getInt();
        }
        return stream;
    }

    int length() {
        return kinds.length;
    }
}
