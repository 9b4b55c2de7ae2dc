# SPDX-License-Identifier: GPL-2.0
"""The primes below a limit, written to a file as they are found."""
import sys

LIMIT = int(sys.argv[2])
primes = [2]
checksum = 0
with open(sys.argv[1], 'w', encoding='ascii') as out:
    out.write('2\n')
    for n in range(3, LIMIT, 2):
        for p in primes:
            if p * p > n:
                primes.append(n)
                checksum = (checksum * 31 + n) % (1 << 61)
                out.write(f'{n} {checksum:x}\n')
                break
            if n % p == 0:
                break
print(len(primes), checksum)
