<?php

/**
 * A service as WHMCS describes it, and how it is told which row of the panel is its own.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

final class Service
{
    /** The reason of a Failure that is about this service alone. */
    public const MISMATCH = 'mismatch';

    /** @var array<string, mixed> */
    private array $params;

    /**
     * @param array<string, mixed> $params
     */
    public function __construct(array $params)
    {
        $this->params = $params;
    }

    /**
     * What the panel keeps beside the row, so that it is found again: whmcs-12, or whmcs-12-addon-3.
     */
    public function reference(): string
    {
        $service = (int) ($this->params['serviceid'] ?? 0);
        if ($service < 1) {
            throw new Failure('WHMCS did not say which service this is about (serviceid)');
        }
        $addon = (int) ($this->params['addonId'] ?? 0);

        return "whmcs-$service" . ($addon > 0 ? "-addon-$addon" : '');
    }

    /**
     * May be empty: a service that was never created has none.
     */
    public function username(): string
    {
        return trim((string) ($this->params['username'] ?? ''));
    }

    public function usernameForCreation(): string
    {
        if ($this->username() === '') {
            throw new Failure('The service has no username: set one on the service in WHMCS');
        }

        return $this->username();
    }

    public function password(): string
    {
        $password = (string) ($this->params['password'] ?? '');
        if ($password === '') {
            throw new Failure('The service has no password: set one on the service in WHMCS');
        }

        return $password;
    }

    public function option(int $number): string
    {
        return trim((string) ($this->params["configoption$number"] ?? ''));
    }

    public function isTicked(int $number): bool
    {
        return in_array($this->option($number), ['on', 'yes', '1'], true);
    }

    /**
     * A detail of the client. WHMCS keeps these with HTML entities in them.
     */
    public function client(string $name): string
    {
        $text = (string) ($this->params['clientsdetails'][$name] ?? '');
        $text = html_entity_decode($text, ENT_QUOTES | ENT_HTML5, 'UTF-8');

        return trim((string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $text));
    }

    public function clientName(): string
    {
        return trim($this->client('firstname') . ' ' . $this->client('lastname'));
    }

    public function clientAddress(): string
    {
        $parts = array_map([$this, 'client'], ['address1', 'address2', 'postcode', 'city', 'state', 'country']);

        return implode(', ', array_filter($parts, static fn (string $part): bool => $part !== ''));
    }

    public function clientPhone(): string
    {
        return $this->client('phonenumberformatted') ?: $this->client('phonenumber');
    }

    public function suspendReason(): string
    {
        $reason = (string) ($this->params['suspendreason'] ?? '');
        $reason = trim((string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $reason));

        return preg_match('/^.{1,200}/us', $reason, $begin) ? $begin[0] : '';
    }

    /**
     * The row that carries this service's reference. One with another name is somebody else's, from another WHMCS or
     * after a renaming: touching it could suspend or delete the wrong customer.
     *
     * @param array<mixed> $rows
     * @param string $field where the panel keeps the reference; not every list has it
     * @return array<string, mixed>|null
     */
    public function ofReference(array $rows, string $field): ?array
    {
        $names = [];
        foreach ($rows as $row) {
            $name = self::nameOf($row);
            if ((string) ($row[$field] ?? $this->reference()) !== $this->reference()) {
                continue;
            }
            if ($this->username() === '' || self::same($name, $this->username())) {
                return $row;
            }
            $names[] = $name;
        }
        if ($names !== []) {
            throw new Failure(sprintf(
                'In the panel %s is called %s, in WHMCS %s: correct the username of the service',
                $this->reference(),
                implode(', ', $names),
                $this->username()
            ), 0, self::MISMATCH);
        }

        return null;
    }

    /**
     * The row that has this service's username, if nobody has claimed it yet.
     *
     * @param array<mixed> $rows
     * @return array<string, mixed>|null
     */
    public function ofUsername(array $rows, string $field): ?array
    {
        foreach ($rows as $row) {
            if (!self::same(self::nameOf($row), $this->username())) {
                continue;
            }
            $reference = (string) ($row[$field] ?? '');
            if ($reference !== '' && $reference !== $this->reference()) {
                throw new Failure(
                    "{$this->username()} has the $field $reference in the panel, not {$this->reference()}:"
                        . ' it belongs to something else, correct the username of the service',
                    0,
                    self::MISMATCH
                );
            }
            return $row;
        }

        return null;
    }

    /**
     * A username alone proves nothing: the order that made it may have failed because somebody else has that name.
     */
    public function unlinked(): Failure
    {
        return new Failure(
            "{$this->username()} is in the panel, but not linked to this service: press Link on the service's page in"
                . ' WHMCS if it is the same one, otherwise correct the username of the service',
            0,
            self::MISMATCH
        );
    }

    /**
     * For messages.
     */
    public function name(): string
    {
        return $this->username() ?: $this->reference();
    }

    /**
     * Runs a command of WHMCS: the word "success", or why not.
     */
    public static function outcome(callable $command, ?int &$status = null): string
    {
        try {
            $command();
        } catch (\Throwable $problem) {
            $status = $problem instanceof Failure ? $problem->status : 0;
            return $problem->getMessage() ?: get_class($problem);
        }

        return 'success';
    }

    /**
     * The same for a command that a client may give: WHMCS shows the client what comes back, and addresses, keys and
     * commands are the administrator's business.
     */
    public static function outcomeForClients(callable $command): string
    {
        $outcome = self::outcome($command, $status);
        if ($outcome === 'success' || $status === 400 || !defined('CLIENTAREA')) {
            return $outcome;
        }
        if (function_exists('logActivity')) {
            logActivity("Panel: a client's command failed: $outcome");
        }

        return 'This cannot be done at the moment. Please contact us.';
    }

    /**
     * @param mixed $row
     */
    private static function nameOf($row): string
    {
        if (!is_array($row) || !is_int($row['id'] ?? null) || !is_string($row['username'] ?? null)) {
            throw new Failure('The panel answered with a row that has no id or no username');
        }

        return $row['username'];
    }

    private static function same(string $one, string $other): bool
    {
        $fold = function_exists('mb_strtolower') ? 'mb_strtolower' : 'strtolower';

        return $fold($one) === $fold($other);
    }
}
