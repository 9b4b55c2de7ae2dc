// SPDX-License-Identifier: GPL-2.0
// Conway's life on a torus, by some threads that wait for each other after each
// generation. Prints a checksum now and then.
import java.util.concurrent.CyclicBarrier;

public class Life {
	static final int SIZE = 256, THREADS = 3;
	static byte[][] now = new byte[SIZE][SIZE], next = new byte[SIZE][SIZE];
	static int generation;

	static void swap() {
		byte[][] old = now;
		now = next;
		next = old;
		if (++generation % 50 != 0)
			return;
		long sum = 0;
		for (byte[] row : now)
			for (byte cell : row)
				sum = sum * 31 + cell;
		// garbage, so that there is something to collect
		StringBuilder text = new StringBuilder();
		for (int i = 0; i < 1000; i++)
			text.append(Long.toHexString(sum * i));
		System.out.println(generation + " " + sum + " " + text.toString().hashCode());
	}

	static void rows(int from, int to) {
		for (int y = from; y < to; y++) {
			byte[] up = now[(y + SIZE - 1) % SIZE], here = now[y], down = now[(y + 1) % SIZE];
			for (int x = 0; x < SIZE; x++) {
				int l = (x + SIZE - 1) % SIZE, r = (x + 1) % SIZE;
				int n = up[l] + up[x] + up[r] + here[l] + here[r] +
					down[l] + down[x] + down[r];
				next[y][x] = (byte) (n == 3 || n == 2 && here[x] == 1 ? 1 : 0);
			}
		}
	}

	public static void main(String[] args) throws Exception {
		final int generations = Integer.parseInt(args[0]);
		long seed = 42;
		for (byte[] row : now)
			for (int x = 0; x < SIZE; x++) {
				seed = seed * 6364136223846793005L + 1442695040888963407L;
				row[x] = (byte) (seed >>> 63);
			}
		CyclicBarrier barrier = new CyclicBarrier(THREADS, Life::swap);
		Thread[] threads = new Thread[THREADS];
		for (int t = 0; t < THREADS; t++) {
			final int from = SIZE * t / THREADS, to = SIZE * (t + 1) / THREADS;
			threads[t] = new Thread(() -> {
				try {
					for (int g = 0; g < generations; g++) {
						rows(from, to);
						barrier.await();
					}
				} catch (Exception e) {
					e.printStackTrace();
				}
			});
			threads[t].start();
		}
		for (Thread thread : threads)
			thread.join();
	}
}
