// SPDX-License-Identifier: GPL-2.0
// Chains of hashes in worker threads, which tell the main thread of each step, and
// what the event loop does meanwhile: timers, compression in the thread pool.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

if (!isMainThread) {
	let h = Buffer.from('worker ' + workerData.id);
	for (let step = 0; step < workerData.steps; step++) {
		for (let i = 0; i < 2000; i++)
			h = crypto.createHash('sha256').update(h).digest();
		parentPort.postMessage(h.toString('hex'));
	}
} else {
	const steps = Number(process.argv[2]);
	const all = [[], []];
	let left = 2, ticks = 0, packed = 0;
	const timer = setInterval(() => {
		ticks++;
		zlib.gzip(Buffer.alloc(100000, ticks % 7), (err) => { packed += err ? 0 : 1; });
	}, 20);
	for (let id = 0; id < 2; id++) {
		const worker = new Worker(__filename, { workerData: { id, steps } });
		worker.on('message', (text) => all[id].push(text));
		worker.on('exit', () => {
			if (--left)
				return;
			clearInterval(timer);
			setTimeout(() => {
				if (!ticks || packed !== ticks)
					throw new Error(packed + ' of ' + ticks);
				for (const list of all)
					console.log(list.join('\n'));
			}, 500);
		});
	}
}
