// SPDX-License-Identifier: GPL-2.0
// A Java program with 64 MiB of live data, which says what they add up to when
// there is a file "ask": for scripts/bench.
import java.nio.file.*;

public class Busy {
	public static void main(String[] args) throws Exception {
		Path ask = Paths.get("ask"), answer = Paths.get("answer");
		long[] data = new long[8 << 20];
		long x = 88172645463325252L;
		for (int i = 0; i < data.length; i++) {
			x ^= x << 13;
			x ^= x >>> 7;
			x ^= x << 17;
			data[i] = x;
		}
		Files.createFile(Paths.get("ready"));
		for (;;) {
			if (Files.exists(ask)) {
				long sum = 1;
				for (long word : data)
					sum = sum * 31 + word;
				Files.delete(ask);
				Files.writeString(Paths.get("answer.tmp"), sum + "\n");
				Files.move(Paths.get("answer.tmp"), answer);
			}
			Thread.sleep(20);
		}
	}
}
