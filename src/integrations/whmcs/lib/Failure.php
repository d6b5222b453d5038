<?php

/**
 * Why a call did not do what it should, as a sentence for the administrator.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

final class Failure extends \RuntimeException
{
    /** HTTP status, 0 where no answer came. */
    public int $status;

    /** What a program can compare: the external surface's error code, the billing surface's detail. */
    public string $reason;

    /** Seconds after which the panel will listen again, 0 where it did not say. */
    public int $retryAfter;

    public function __construct(string $sentence, int $status = 0, string $reason = '', int $retryAfter = 0)
    {
        parent::__construct($sentence);
        $this->status = $status;
        $this->reason = $reason;
        $this->retryAfter = $retryAfter;
    }
}
