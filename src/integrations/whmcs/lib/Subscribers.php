<?php

/**
 * Subscribers: what WHMCS asks for, in calls of the panel's external surface.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

use WHMCS\Database\Capsule;

// Asked for on its own, by a browser, its parent is not there.
if (!class_exists(Provisioned::class, false)) {
    return;
}

final class Subscribers extends Provisioned
{
    protected const PATH = self::BASE . '/subscribers';
    protected const NOUN = 'subscriber';
    protected const REFERENCE = 'external_id';
    protected const UNSUSPEND = '/activate';

    private const BASE = '/api/v1/external';

    /** The order of panelsubscriber_ConfigOptions(). */
    private const SERVICE = 1;
    private const PERIODS = 2;
    private const CHARGE = 3;

    private const STATUS = [1 => 'active', 2 => 'suspended', 3 => 'expired', 4 => 'stopped'];

    /** @var array<string, mixed> */
    private array $params;

    /**
     * @param array<string, mixed> $params
     */
    public function __construct(array $params)
    {
        $key = trim((string) ($params['serverpassword'] ?? '')) ?: (string) ($params['serveraccesshash'] ?? '');
        $this->client = new Client('panelsubscriber', $params, [
            'X-API-Key' => [$key, "The server's Password (the pk_live_ key)"],
        ]);
        $this->service = new Service($params);
        $this->params = $params;
    }

    /**
     * Health says whether the key is good; whether it may create, only an attempt does. This one lacks every field.
     */
    public function test(): void
    {
        $health = self::data($this->client->health(self::BASE . '/system/health'));
        if (($health['status'] ?? null) !== 'healthy') {
            throw new Failure('The panel says that it is not healthy');
        }
        try {
            $this->client->create(self::PATH, []);
        } catch (Failure $failure) {
            if ($failure->reason !== 'INVALID_PARAMETER') {
                throw $failure;
            }
        }
    }

    public function create(): void
    {
        $password = $this->service->password();
        $fields = [
            'service_id' => $this->plan(),
            'full_name' => $this->service->clientName(),
            'phone' => $this->service->clientPhone(),
            'email' => $this->service->client('email'),
            'address' => $this->service->clientAddress(),
        ];
        $new = ['username' => $this->service->usernameForCreation(), 'password' => $password]
            + $fields + ['external_id' => $this->service->reference()];
        try {
            $answer = $this->client->create(self::PATH, $new);
        } catch (Failure $failure) {
            if ($failure->reason !== 'EXTERNAL_ID_TAKEN') {
                throw $failure;
            }
            // An earlier attempt made it, and the client or the product was changed since.
            $this->client->change('PUT', $this->path(), $fields + ['password' => $password]);
            return;
        }
        $made = self::data($answer);
        // A row older than the answer is an earlier attempt's, and has the password of that time.
        if (($made['created_at'] ?? null) !== ($answer['timestamp'] ?? null) && is_int($made['id'] ?? null)) {
            $this->client->change('PUT', self::pathOf($made), ['password' => $password]);
        }
    }

    public function changePackage(): void
    {
        $plan = $this->plan();
        $this->client->change('PUT', $this->path(), ['service_id' => $plan]);
    }

    /**
     * Once for each due date: WHMCS repeats a renewal whose answer it did not get. The panel's id is in the name for a
     * service that is made anew.
     */
    public function renew(): void
    {
        $periods = $this->service->option(self::PERIODS);
        $periods = $periods === '' ? '1' : $periods;
        if (!ctype_digit($periods) || (int) $periods < 1 || (int) $periods > 24) {
            throw new Failure('Periods in the Module Settings of the product must be a number from 1 to 24');
        }
        $subscriber = $this->known();
        $body = [
            'periods' => (int) $periods,
            'external_id' => "{$this->service->reference()}-renew-{$this->dueDate()}-{$subscriber['id']}",
        ];
        if (!$this->service->isTicked(self::CHARGE)) {
            $body['charge'] = false;
        }
        $this->client->change('POST', self::pathOf($subscriber) . '/renew', $body);
    }

    /**
     * @return array<string, int>|null columns of tblhosting
     */
    public function usage(): ?array
    {
        $subscriber = $this->find();
        if ($subscriber === null) {
            return null;
        }
        $used = self::data($this->client->get(self::pathOf($subscriber) . '/usage'));
        $bytes = (int) ($used['monthly_download_used'] ?? 0) + (int) ($used['monthly_upload_used'] ?? 0);

        return [
            'bwusage' => Usage::megabytes($bytes),
            'bwlimit' => Usage::megabytes((int) ($used['monthly_quota'] ?? 0)),
        ];
    }

    /**
     * @return array<int, string> name by id
     */
    public function plans(): array
    {
        $plans = [];
        foreach (self::data($this->client->get(self::BASE . '/services')) as $plan) {
            $plans[(int) ($plan['id'] ?? 0)] = (string) ($plan['name'] ?? '');
        }

        return $plans;
    }

    /**
     * @return array<string, string> for the service's page in WHMCS, as HTML
     */
    public function facts(): array
    {
        $of = self::data($this->client->get($this->path()));
        $facts = [
            'Panel id' => (string) ($of['id'] ?? ''),
            'Status' => self::STATUS[$of['status'] ?? 0] ?? 'unknown',
            'Plan' => (string) ($of['service_name'] ?? ''),
            'Works until' => substr((string) ($of['expiry_date'] ?? ''), 0, 10),
            'Online' => empty($of['is_online']) ? 'no' : 'yes, ' . ($of['ip_address'] ?? 'address unknown'),
        ];

        return array_map(static fn (string $text): string => htmlspecialchars($text, ENT_QUOTES), $facts);
    }

    private function plan(): int
    {
        $plan = $this->service->option(self::SERVICE);
        if (!ctype_digit($plan) || (int) $plan < 1) {
            throw new Failure('The product has no Service: set the id of a service of the panel in the Module'
                . ' Settings of the product');
        }

        return (int) $plan;
    }

    private function dueDate(): string
    {
        $addon = (int) ($this->params['addonId'] ?? 0);
        $row = $addon > 0
            ? Capsule::table('tblhostingaddons')->where('id', $addon)
            : Capsule::table('tblhosting')->where('id', (int) ($this->params['serviceid'] ?? 0));
        $date = substr((string) $row->value('nextduedate'), 0, 10);

        // One without a due date is renewed by hand, at most once a day.
        return preg_match('/^[1-9]\d{3}-\d\d-\d\d$/D', $date) ? $date : date('Y-m-d');
    }

    /**
     * @return array<string, mixed>|null
     */
    protected function findByReference(): ?array
    {
        $rows = $this->client->get(self::PATH, [self::REFERENCE => $this->service->reference()]);

        return $this->service->ofReference(self::data($rows), self::REFERENCE);
    }

    /**
     * @return array<string, mixed>|null
     */
    protected function findByUsername(): ?array
    {
        $name = $this->service->username();
        // The panel has no path with such a name in it.
        if ($name === '' || $name === '.' || $name === '..' || strpos($name, '/') !== false) {
            return null;
        }
        try {
            $named = self::data($this->client->get(self::PATH . '/by-username/' . rawurlencode($name)));
        } catch (Failure $failure) {
            if ($failure->status !== 404) {
                throw $failure;
            }
            return null;
        }

        return $this->service->ofUsername([$named], self::REFERENCE);
    }

    /**
     * @param array<mixed> $answer
     * @return array<mixed>
     */
    private static function data(array $answer): array
    {
        if (($answer['success'] ?? null) !== true || !is_array($answer['data'] ?? null)) {
            throw new Failure('The answer has no data: is another program listening there?'
                . " Check the server's hostname and port");
        }

        return $answer['data'];
    }
}
