# SPDX-License-Identifier: GPL-2.0
"""The clients of nginx.sh. usage: nginx.py inside ROUNDS | outside"""
import gzip
import hashlib
import http.client
import pathlib
import socket
import sys
import threading
import time

WANT = {name: pathlib.Path(name).read_bytes() for name in ('file1', 'file2', 'file3')}


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect('socket')


class Client:
    def __init__(self):
        self.chain = hashlib.sha256()

    @staticmethod
    def ask(connection, path, **headers):
        connection.request('GET', path, headers=headers)
        reply = connection.getresponse()
        data = reply.read()
        if reply.status not in (200, 206):
            raise OSError(f'{path}: status {reply.status}')
        if reply.getheader('Content-Encoding'):
            data = gzip.decompress(data)
        return data

    def check(self, name, data, begin=0, end=None):
        if data != WANT[name][begin:end]:
            raise OSError(f'{name} is not what it was')
        self.chain.update(data)

    def by_tcp(self, name):
        connection = http.client.HTTPConnection('127.0.0.1', 8080)
        self.check(name, self.ask(connection, '/' + name, Connection='close'))
        connection.close()

    def by_unix(self, rounds):
        connection = Unix('localhost')
        for i in range(rounds):
            for name in WANT:
                self.check(name, self.ask(connection, '/' + name))
                self.check(name, self.ask(connection, '/copied/' + name))
            self.check('file1', self.ask(connection, '/packed/file1',
                                         **{'Accept-Encoding': 'gzip'}))
            self.check('file2', self.ask(connection, '/file2', Range=f'bytes={i}-{i + 9999}'),
                       i, i + 10000)


def inside(rounds):
    clients = Client(), Client(), Client()
    threads = [threading.Thread(target=client.by_unix, args=(rounds + n,))
               for n, client in enumerate(clients[:2])]
    for thread in threads:
        thread.start()
    for _ in range(2 * rounds):
        clients[2].by_tcp('file1')
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    for client in clients:
        print(client.chain.hexdigest())
    while not pathlib.Path('outside.done').exists():
        time.sleep(0.05)
    # the connections that were ever accepted, and handled, and the requests
    print(Client.ask(Unix('localhost'), '/count').decode().splitlines()[2])


def outside():
    client = Client()
    for tries in range(600, -1, -1):
        # it may not be there yet
        try:
            for name in WANT:
                client.by_tcp(name)
            break
        except ConnectionRefusedError:
            if not tries:
                raise
            time.sleep(0.1)
    print(client.chain.hexdigest())
    pathlib.Path('outside.done').touch()


if sys.argv[1] == 'inside':
    inside(int(sys.argv[2]))
else:
    outside()
