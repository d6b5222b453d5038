<?php

/**
 * A TLS server whose certificate nobody vouches for: prints its port, then what the first client sent.
 */

declare(strict_types=1);

$key = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
$request = openssl_csr_new(['commonName' => '127.0.0.1'], $key, ['digest_alg' => 'sha256']);
$certificate = openssl_csr_sign($request, null, $key, 1, ['digest_alg' => 'sha256']);
openssl_x509_export($certificate, $public);
openssl_pkey_export($key, $private);
$file = tempnam(getcwd(), 'pem');
file_put_contents($file, $public . $private);

$context = stream_context_create(['ssl' => ['local_cert' => $file]]);
$flags = STREAM_SERVER_BIND | STREAM_SERVER_LISTEN;
$server = stream_socket_server('tcp://127.0.0.1:0', $number, $error, $flags, $context);
echo (int) substr(strrchr(stream_socket_get_name($server, false), ':'), 1), "\n";
$client = stream_socket_accept($server, 30);
$shaken = @stream_socket_enable_crypto($client, true, STREAM_CRYPTO_METHOD_TLS_SERVER);
// Under TLS 1.3 a client may refuse after the server is done.
$sent = $shaken ? (string) @fread($client, 4096) : '';
echo $sent === '' ? "refused\n" : "$sent\n";
