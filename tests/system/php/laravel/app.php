<?php
// SPDX-License-Identifier: MIT
//
// laravel.php: an application of Laravel, as small as it can be, in the directory
// LARAVEL, which has .env and config/broadcasting.php of etc/doc/laravel.md.  In
// `php -S` it answers requests, and as a command it is artisan.
namespace App;

use Illuminate\Auth\GenericUser;
use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;
use Illuminate\Contracts\Console\Kernel as Artisan;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as Http;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\ServiceProvider;

require 'Illuminate/autoload.php';
require __DIR__ . '/Pusher.php';

class Paid implements ShouldBroadcast
{
    use InteractsWithSockets;

    public function __construct(public $order)
    {
    }

    public function broadcastOn()
    {
        return new PrivateChannel('orders.1');
    }
}

class PaidNow extends Paid implements ShouldBroadcastNow
{
}

// The header says who is logged in, where a browser has a cookie.
class Provider extends ServiceProvider
{
    public function boot()
    {
        Auth::viaRequest('header', fn ($request) => $request->header('X-User')
            ? new GenericUser(['id' => $request->header('X-User'), 'name' => 'Zoë']) : null);
        Broadcast::routes(['middleware' => []]);
        Broadcast::channel('orders.{id}', fn ($user, $id) => $user->id === $id);
        Broadcast::channel('room', fn ($user) => ['name' => $user->name]);
        Route::post('/pay', function (Request $request) {
            broadcast(new Paid(7));
            return '';
        });
        Route::post('/pay-now', function (Request $request) {
            broadcast(new PaidNow(8))->toOthers();
            return '';
        });
    }
}

$app = new \Illuminate\Foundation\Application(getenv('LARAVEL'));
// Since Laravel 11 the framework has a configuration, too; Debian moves it away.
if (method_exists($app, 'dontMergeFrameworkConfiguration')) {
    $app->dontMergeFrameworkConfiguration();
}
$app->singleton(Http::class, \Illuminate\Foundation\Http\Kernel::class);
$app->singleton(Artisan::class, \Illuminate\Foundation\Console\Kernel::class);
$app->singleton(ExceptionHandler::class, \Illuminate\Foundation\Exceptions\Handler::class);

if (PHP_SAPI === 'cli') {
    $artisan = $app->make(Artisan::class);
    exit($artisan->handle(new \Symfony\Component\Console\Input\ArgvInput(),
        new \Symfony\Component\Console\Output\ConsoleOutput()));
}
$app->make(Http::class)->handle(Request::capture())->send();
