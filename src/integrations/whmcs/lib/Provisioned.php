<?php

/**
 * What a service of WHMCS has in the panel, an account or a subscriber: found by the reference that only this service
 * carries, and suspended, deleted and changed in the same way.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

abstract class Provisioned
{
    /** Where such rows are. */
    protected const PATH = '';

    /** What one row is called. */
    protected const NOUN = '';

    /** The field that carries the service's reference. */
    protected const REFERENCE = '';

    /** The call that lets it work again. */
    protected const UNSUSPEND = '';

    protected Client $client;
    protected Service $service;

    public function suspend(): void
    {
        $reason = $this->service->suspendReason();
        $this->client->change('POST', $this->path() . '/suspend', $reason === '' ? [] : ['reason' => $reason]);
    }

    public function unsuspend(): void
    {
        $this->client->change('POST', $this->path() . static::UNSUSPEND);
    }

    /**
     * What is not there needs no deleting.
     */
    public function terminate(): void
    {
        $row = $this->find();
        if ($row === null) {
            return;
        }
        try {
            $this->client->change('DELETE', static::pathOf($row));
        } catch (Failure $failure) {
            if ($failure->status !== 404) {
                throw $failure;
            }
        }
    }

    public function changePassword(): void
    {
        $this->client->change('PUT', $this->path(), ['password' => $this->service->password()]);
    }

    /**
     * Claims the row that has this service's username, for one that was made before WHMCS knew of it.
     */
    public function link(): void
    {
        $row = $this->findByReference() ?? $this->findByUsername();
        if ($row === null) {
            throw $this->absent();
        }
        $this->client->change('PUT', static::pathOf($row), [static::REFERENCE => $this->service->reference()]);
    }

    /**
     * @param array<string, mixed> $row
     */
    protected static function pathOf(array $row): string
    {
        return static::PATH . "/{$row['id']}";
    }

    protected function path(): string
    {
        return static::pathOf($this->known());
    }

    /**
     * @return array<string, mixed>
     */
    protected function known(): array
    {
        $row = $this->find();
        if ($row === null) {
            throw $this->absent();
        }

        return $row;
    }

    /**
     * @return array<string, mixed>|null
     */
    protected function find(): ?array
    {
        $row = $this->findByReference();
        if ($row === null && $this->findByUsername() !== null) {
            throw $this->service->unlinked();
        }

        return $row;
    }

    /**
     * @return array<string, mixed>|null
     */
    abstract protected function findByReference(): ?array;

    /**
     * @return array<string, mixed>|null
     */
    abstract protected function findByUsername(): ?array;

    private function absent(): Failure
    {
        $noun = static::NOUN;

        return new Failure("The panel has no $noun {$this->service->name()}, or the key's owner may not see it");
    }
}
