<?php

/**
 * Hosting accounts: what WHMCS asks for, in calls of the panel's billing surface.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

// Asked for on its own, by a browser, its parent is not there.
if (!class_exists(Provisioned::class, false)) {
    return;
}

final class Accounts extends Provisioned
{
    protected const PATH = '/api/v1/billing/accounts';
    protected const NOUN = 'account';
    protected const REFERENCE = 'billing_id';
    protected const UNSUSPEND = '/unsuspend';

    /** The order of panelhosting_ConfigOptions(). */
    private const PACKAGE = 1;
    private const RESELLER = 2;
    private const SHARED_EMAIL = 3;

    /**
     * @param array<string, mixed> $params
     */
    public function __construct(array $params)
    {
        $this->client = new Client('panelhosting', $params, [
            'X-API-Key' => [(string) ($params['serverusername'] ?? ''), "The server's Username (the npk_ key)"],
            'X-API-Secret' => [(string) ($params['serverpassword'] ?? ''), "The server's Password (the nps_ secret)"],
        ]);
        $this->service = new Service($params);
    }

    /**
     * Health with a key is red for a key that could not provision.
     */
    public function test(): void
    {
        $answer = $this->client->health('/api/health');
        if (($answer['status'] ?? null) !== 'healthy') {
            throw new Failure('The panel says that it is not healthy');
        }
    }

    public function create(): void
    {
        $body = [
            'username' => $this->service->usernameForCreation(),
            'email' => $this->service->client('email'),
            'password' => $this->service->password(),
            'full_name' => $this->service->clientName(),
            'phone' => $this->service->clientPhone(),
            'company' => $this->service->client('companyname'),
            'package_id' => $this->package(),
            'is_admin' => $this->service->isTicked(self::RESELLER),
            'billing_id' => $this->service->reference(),
        ];
        if ($body['email'] === '') {
            throw new Failure('The client has no e-mail address: set one in WHMCS');
        }
        try {
            $this->client->create(self::PATH, $body);
        } catch (Failure $failure) {
            $this->createDespite($failure, $body);
        }
    }

    /**
     * Names the kind of account too: the panel refuses where the new product is of the other kind.
     */
    public function changePackage(): void
    {
        $this->client->change('PUT', $this->path(), [
            'package_id' => $this->package(),
            'is_admin' => $this->service->isTicked(self::RESELLER),
        ]);
    }

    /**
     * @return array<string, int>|null columns of tblhosting
     */
    public function usage(): ?array
    {
        $account = $this->find();
        if ($account === null) {
            return null;
        }
        $stats = $this->client->get(self::pathOf($account) . '/stats');

        return ['diskusage' => Usage::megabytes((int) ($stats['storage_used'] ?? 0))];
    }

    /**
     * The panel itself answers a repeat with the first outcome, for a day. Later, or after the client's e-mail address
     * changed, the account is found by its billing_id.
     *
     * @param array<string, mixed> $body
     */
    private function createDespite(Failure $failure, array $body): void
    {
        $emailTaken = $failure->reason === 'Email already exists';
        if (!$emailTaken && $failure->reason !== 'Username already exists') {
            throw $failure;
        }
        $account = $this->findByReference();
        if ($account !== null && ($account['is_admin'] ?? null) === $body['is_admin']) {
            return;
        }
        if ($account !== null || !$emailTaken || !$this->service->isTicked(self::SHARED_EMAIL)) {
            throw $failure;
        }
        $at = (int) strrpos($body['email'], '@');
        $tag = '+' . $this->service->reference();
        $body['email'] = substr($body['email'], 0, $at) . $tag . substr($body['email'], $at);
        $this->client->create(self::PATH, $body);
    }

    private function package(): string
    {
        $package = $this->service->option(self::PACKAGE);
        if ($package === '') {
            throw new Failure('The product has no Package: set its id or name in the Module Settings of the product');
        }

        return $package;
    }

    /**
     * @return array<string, mixed>|null
     */
    protected function findByUsername(): ?array
    {
        $name = $this->service->username();

        return $name === ''
            ? null
            : $this->service->ofUsername($this->client->get(self::PATH, ['username' => $name]), self::REFERENCE);
    }

    /**
     * @return array<string, mixed>|null
     */
    protected function findByReference(): ?array
    {
        return $this->service->ofReference(
            $this->client->get(self::PATH, [self::REFERENCE => $this->service->reference()]),
            self::REFERENCE
        );
    }
}
