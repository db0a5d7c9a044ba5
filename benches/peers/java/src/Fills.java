/** What was traded, with the same digest as {@code Fills} of {@code src/stream.rs}. */
final class Fills {
    private long count;
    private long size;
    private long digest;

    void add(long taker, long maker, long size, long price) {
        this.count++;
        this.size += size;
        mix(taker << 32 | maker);
        mix(size);
        mix(size * price);
    }

    private void mix(long word) {
        digest = (Long.rotateLeft(digest, 23) ^ word) * 0x9e37_79b9_7f4a_7c15L;
    }

    @Override
    public String toString() {
        return "%d %d %016x".formatted(count, size, digest);
    }
}
