<?php

/**
 * Talks to the panel: one request, one answer or one Failure. No secret leaves it but in the request itself.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

final class Client
{
    private const HEALTH_SECONDS = 5;
    private const CREATE_SECONDS = 30;
    private const OTHER_SECONDS = 10;
    private const CONNECT_SECONDS = 5;
    private const DEFAULT_PORT = 3082;
    private const LONGEST_ANSWER = 8388608;
    private const MASK = '********';

    private string $module;
    private string $base;

    /** @var string[] */
    private array $headers = ['Content-Type: application/json', 'Accept: application/json', 'Expect:'];

    /** @var string[] what must not be seen in a log or a sentence */
    private array $secrets = [];

    /**
     * @param array<string, mixed> $params what WHMCS hands to every function of a module
     * @param array<string, array{string, string}> $credentials by header: the value, and where in WHMCS it is set
     */
    public function __construct(string $module, array $params, array $credentials)
    {
        $this->module = $module;
        $this->base = self::base($params);
        foreach ($credentials as $header => [$value, $where]) {
            $value = trim($value);
            if ($value === '') {
                throw new Failure("$where is empty: set it in WHMCS under System Settings, Servers");
            }
            if (preg_match('/[^\x21-\x7e]/', $value)) {
                throw new Failure("$where holds a space, a line break or another character that no key has");
            }
            $this->headers[] = "$header: $value";
            $this->hide($value);
        }
    }

    /**
     * @return array<mixed>
     */
    public function health(string $path): array
    {
        return $this->send('GET', $path, [], null, 200, self::HEALTH_SECONDS);
    }

    /**
     * @param array<string, mixed> $query
     * @return array<mixed>
     */
    public function get(string $path, array $query = []): array
    {
        return $this->send('GET', $path, $query, null, 200, self::OTHER_SECONDS);
    }

    /**
     * @param array<string, mixed> $body
     * @return array<mixed>
     */
    public function create(string $path, array $body): array
    {
        return $this->send('POST', $path, [], $body, 201, self::CREATE_SECONDS);
    }

    /**
     * @param array<string, mixed> $body
     * @return array<mixed>
     */
    public function change(string $method, string $path, array $body = []): array
    {
        return $this->send($method, $path, [], $body, 200, self::OTHER_SECONDS);
    }

    /**
     * @param array<string, mixed> $params
     */
    private static function base(array $params): string
    {
        $host = trim((string) ($params['serverhostname'] ?? '')) ?: trim((string) ($params['serverip'] ?? ''));
        if ($host === '') {
            throw new Failure('The server has no hostname and no IP address: set one in WHMCS under'
                . ' System Settings, Servers, and choose that server in the product or service');
        }
        $address = trim($host, '[]');
        if (filter_var($address, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false) {
            $host = "[$address]";
        } elseif (!preg_match('/^[A-Za-z0-9][A-Za-z0-9._-]*$/D', $host)) {
            throw new Failure("The server's hostname must be a bare name or address:"
                . ' the port and the choice of https have fields of their own');
        }
        $port = trim((string) ($params['serverport'] ?? '')) ?: (string) self::DEFAULT_PORT;
        if (!ctype_digit($port) || (int) $port < 1 || (int) $port > 65535) {
            throw new Failure("The server's port must be a number from 1 to 65535");
        }
        $scheme = (string) ($params['serverhttpprefix'] ?? '');
        if ($scheme !== 'http' && $scheme !== 'https') {
            $scheme = empty($params['serversecure']) ? 'http' : 'https';
        }

        return "$scheme://$host:" . (int) $port;
    }

    /**
     * @param array<string, mixed> $query
     * @param array<string, mixed>|null $body
     * @return array<mixed>
     */
    private function send(
        string $method,
        string $path,
        array $query,
        ?array $body,
        int $expected,
        int $seconds
    ): array {
        $url = $this->base . $path;
        if ($query !== []) {
            $url .= '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986);
        }
        if (isset($body['password'])) {
            $this->hide((string) $body['password']);
        }
        $raw = '';
        try {
            [$status, $raw, $headers] = $this->exchange($method, $url, self::encode($body), $seconds);
            $answer = $this->read($status, $raw, $headers, $expected);
        } catch (Failure $failure) {
            $this->log($method, $path, $url, $body, $raw, $failure->getMessage());
            throw $failure;
        }
        $this->log($method, $path, $url, $body, $raw, "HTTP $expected");

        return $answer;
    }

    /**
     * @param array<string, mixed>|null $body
     */
    private static function encode(?array $body): string
    {
        if ($body === null || $body === []) {
            return '';
        }
        $json = json_encode($body, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        if ($json === false) {
            throw new Failure('A field of the service or of the client is not valid UTF-8');
        }

        return $json;
    }

    /**
     * @return array{int, string, array<string, string>} status, body, headers by their lower-case name
     */
    private function exchange(string $method, string $url, string $body, int $seconds): array
    {
        $raw = '';
        $headers = [];
        $curl = curl_init();
        curl_setopt_array($curl, [
            CURLOPT_URL => $url,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $this->headers,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            // A redirect would carry the key to wherever it points.
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
            CURLOPT_CONNECTTIMEOUT => min(self::CONNECT_SECONDS, $seconds),
            CURLOPT_TIMEOUT => $seconds,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_USERAGENT => "panel-whmcs ({$this->module})",
            CURLOPT_HEADERFUNCTION => static function ($curl, string $line) use (&$headers): int {
                $parts = explode(':', $line, 2);
                if (count($parts) === 2) {
                    $headers[strtolower(trim($parts[0]))] = trim($parts[1]);
                }
                return strlen($line);
            },
            CURLOPT_WRITEFUNCTION => static function ($curl, string $part) use (&$raw): int {
                $raw .= $part;
                return strlen($raw) > self::LONGEST_ANSWER ? 0 : strlen($part);
            },
        ]);
        if ($method !== 'GET') {
            curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
        }
        if (curl_exec($curl) === false) {
            throw $this->unreachable($curl, $seconds, $method);
        }

        return [(int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $raw, $headers];
    }

    /**
     * @param resource|\CurlHandle $curl
     */
    private function unreachable($curl, int $seconds, string $method): Failure
    {
        $error = curl_error($curl);
        $connected = curl_getinfo($curl, CURLINFO_CONNECT_TIME) > 0;
        switch (curl_errno($curl)) {
            case CURLE_OPERATION_TIMEOUTED:
                $seconds = $connected ? $seconds : min(self::CONNECT_SECONDS, $seconds);
                $text = "{$this->base} did not answer within $seconds s";
                break;
            case CURLE_SSL_CACERT:
            case CURLE_SSL_PEER_CERTIFICATE:
                return new Failure($this->sentence("The TLS certificate of {$this->base} is not accepted: $error"));
            default:
                $text = "No answer from {$this->base}: $error";
        }
        if ($connected && $method !== 'GET') {
            $text .= '. It may have done what was asked; repeating the command is safe';
        }

        return new Failure($this->sentence($text));
    }

    /**
     * @param array<string, string> $headers
     * @return array<mixed>
     */
    private function read(int $status, string $raw, array $headers, int $expected): array
    {
        $answer = json_decode($raw, true);
        if (!is_array($answer)) {
            throw $this->stranger($status);
        }
        if ($status === $expected) {
            return $answer;
        }
        if (is_string($answer['detail'] ?? null)) {
            $message = $reason = $answer['detail'];
        } elseif (is_array($answer['error'] ?? null) && is_string($answer['error']['message'] ?? null)) {
            $message = $answer['error']['message'];
            $reason = (string) ($answer['error']['code'] ?? '');
        } else {
            throw $this->stranger($status);
        }
        $text = rtrim($message, '. ') . " (HTTP $status)" . self::remedy($answer['denied'] ?? null);
        if ($status >= 500 && isset($headers['x-request-id'])) {
            $text .= ". Request id: {$headers['x-request-id']}";
        }

        throw new Failure($this->sentence($text), $status, $reason, (int) ($headers['retry-after'] ?? 0));
    }

    private function stranger(int $status): Failure
    {
        return new Failure("{$this->base} answered HTTP $status, but not as the panel does:"
            . " is another program there? Check the server's hostname and port, and whether it uses https");
    }

    /**
     * @param mixed $denied
     */
    private static function remedy($denied): string
    {
        foreach (is_array($denied) ? $denied : [] as $entry) {
            $fix = is_array($entry) ? ($entry['fix'] ?? null) : null;
            if (is_string($fix) && $fix !== '') {
                $where = strpos($fix, 'panel ') === 0 ? "On the panel's machine run" : 'To do';
                return ". $where: $fix";
            }
        }

        return '';
    }

    private function hide(string $secret): void
    {
        foreach ([0, JSON_UNESCAPED_SLASHES, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE] as $flags) {
            $forms[] = substr((string) json_encode($secret, $flags), 1, -1);
        }
        $forms = array_merge([$secret, rawurlencode($secret), htmlspecialchars($secret, ENT_QUOTES)], $forms);
        $this->secrets = array_values(array_unique(array_filter(
            array_merge($this->secrets, $forms),
            static fn (string $form): bool => $form !== ''
        )));
    }

    /**
     * One line for people. WHMCS may show it as HTML, and it came over the network.
     */
    private function sentence(string $text): string
    {
        // Shorter ones are no secrets, and hiding them would spoil the sentence.
        $secrets = array_filter($this->secrets, static fn (string $form): bool => strlen($form) >= 4);
        $text = str_replace($secrets, self::MASK, $text);
        $text = strtr($text, ['<' => '‹', '>' => '›']);
        $text = (string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $text);

        return preg_match('/^.{700}/us', $text, $begin) ? $begin[0] . '…' : $text;
    }

    /**
     * @param array<string, mixed>|null $body
     */
    private function log(
        string $method,
        string $path,
        string $url,
        ?array $body,
        string $raw,
        string $outcome
    ): void {
        if (!function_exists('logModuleCall')) {
            return;
        }
        if (isset($body['password'])) {
            $body['password'] = self::MASK;
        }
        $raw = (string) preg_replace('/("password"\s*:\s*)"(?:[^"\\\\]|\\\\.)*"/', '$1"' . self::MASK . '"', $raw);
        $raw = str_replace($this->secrets, self::MASK, $raw);
        $request = ['url' => $url, 'body' => $body];
        logModuleCall($this->module, "$method $path", $request, substr($raw, 0, 20000), $outcome, $this->secrets);
    }
}
