#!/usr/bin/env node
// A raftnode client for Node.js, with nothing but its standard library.
//
// usage: client.js HOST:PORT put KEY JSON [NAMESPACE]
//        client.js HOST:PORT get KEY [NAMESPACE]
//        client.js HOST:PORT delete KEY [NAMESPACE]
//        client.js HOST:PORT status
//
// It ends with 0 if the request was carried out, 1 if it was refused and has no effect, 2 if that is not known.

'use strict';

const net = require('node:net');

/** Keeps one connection open; requests may be sent without waiting, and answers come in their order. */
class Client {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.waiting = [];
    this.rest = '';
    this.socket = net.connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    this.socket.setEncoding('utf8');
    this.socket.setTimeout(15_000, () => this.socket.destroy(new Error('the node did not answer in time')));
    this.isConnected = false;
    this.socket.on('connect', () => { this.isConnected = true; });
    this.socket.on('data', (text) => this.receive(text));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the node closed the connection')));
  }

  receive(text) {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    for (const line of lines) {
      const { resolve, reject } = this.waiting.shift();
      const answer = JSON.parse(line);
      if (answer.error) reject(Object.assign(new Error(answer.error.message), answer.error));
      else resolve(answer);
    }
  }

  /** Whether a request without answer was carried out is not known, unless there never was a connection. */
  fail(error) {
    error.outcome = this.isConnected ? 'unknown' : 'not_executed';
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }

  ask(request) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      // The newline keeps the connection open for the next request.
      this.socket.write(JSON.stringify(request) + '\n');
    });
  }

  put(key, value, namespace = 'default') { return this.ask({ type: 'put', key, value, namespace }); }
  async get(key, namespace = 'default') { return (await this.ask({ type: 'get', key, namespace })).data.value; }
  delete(key, namespace = 'default') { return this.ask({ type: 'delete', key, namespace }); }
  status() { return this.ask({ type: 'status' }); }
  close() { this.socket.end(); }
}

const usage = `usage: client.js HOST:PORT put KEY JSON [NAMESPACE]
       client.js HOST:PORT get KEY [NAMESPACE]
       client.js HOST:PORT delete KEY [NAMESPACE]
       client.js HOST:PORT status`;

async function main([address, command, ...words]) {
  const least = { put: 2, get: 1, delete: 1, status: 0 }[command];
  const most = command === 'status' ? 0 : least + 1;
  if (!address || least === undefined || words.length < least || words.length > most) {
    console.error(usage);
    return 64;
  }
  const value = command === 'put' ? JSON.parse(words[1]) : undefined;
  const client = new Client(address);
  try {
    switch (command) {
      case 'put': await client.put(words[0], value, words[2]); console.log('ok'); break;
      case 'get': console.log(JSON.stringify(await client.get(...words))); break;
      case 'delete': await client.delete(...words); console.log('ok'); break;
      case 'status': console.log(JSON.stringify(await client.status(), null, 2)); break;
    }
    return 0;
  } finally {
    client.close();
  }
}

module.exports = { Client };

if (require.main === module) {
  main(process.argv.slice(2))
    .catch((error) => {
      console.error(error.code && error.outcome ? `${error.message} (${error.code}, ${error.outcome})` : error.message);
      return error.outcome === 'unknown' ? 2 : 1;
    })
    .then((status) => { process.exitCode = status; });
}
